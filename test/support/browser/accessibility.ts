import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** By rule of axe, why a barrier in what a library draws stays. */
export type KnownBarriers = Readonly<Record<string, string>>

/** What axe finds serious or critical on a page, by the rules of WCAG 2.2 A and AA: a sentence each. @param part of it, as a selector */
export async function barriersOn(page: Page, part = 'html'): Promise<string[]> {
  return (await seriousViolations(page, part)).flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html} ${failureSummary}`)
  )
}

/** The rules by which there is something serious or critical, in the light and in the dark. @param redrawn where the page looks at the scheme but once */
export async function rulesBrokenOn(page: Page, redrawn = async () => {}): Promise<string[]> {
  const rules: string[] = []
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await redrawn()
    rules.push(...(await seriousViolations(page, 'html')).map(({ id }) => id))
  }
  return rules
}

async function seriousViolations(page: Page, part: string): Promise<AxeResults['violations']> {
  await page.evaluate(axe)
  const run = `axe.run(${JSON.stringify(part)}, { runOnly: { type: 'tag', values: ${JSON.stringify(TAGS)} } })`
  const { violations } = await page.evaluate<AxeResults>(run)
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
}
