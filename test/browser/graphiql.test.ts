import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { barriersOn, type KnownBarriers, rulesBrokenOn } from '../support/browser/accessibility.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { openPage, type WatchedPage } from '../support/browser/watched-page.js'
import { createConversation, eventCursor, send } from '../support/chat.js'

/** In what GraphiQL draws, and a stylesheet does not mend. */
const KNOWN: KnownBarriers = {
  'nested-interactive':
    'a tab of the editor is a list item of the role tab with the buttons in it that choose and close it'
}
/** What this project puts into the page. */
const OURS = '.token-bar, .ready-operations'

describe.runIf(hasBrowser)('GraphiQL in a browser', () => {
  let conclave: TestConclave
  let browser: Browser
  let context: BrowserContext
  let watched: WatchedPage

  beforeAll(async () => {
    conclave = await bootConclave()
    browser = await launchBrowser()
    context = await browser.newContext()
    watched = await openPage(context, conclave.url)
    await watched.page.goto(`${conclave.url}/graphiql`)
  })
  afterAll(async () => {
    await browser.close()
    await conclave.close()
  })

  const execute = () => watched.page.getByRole('button', { name: /^Execute query/ }).click()
  const answered = async (text: string) =>
    await watched.page.locator('.graphiql-response', { hasText: text }).waitFor({ state: 'visible' })

  it('signs in, and runs a query that is there from the start', async () => {
    const { page } = watched
    await page.getByRole('button', { name: 'Alice' }).click()
    await page.getByText(/^Signed in as alice/).waitFor()
    await editorsThere()
    await execute()
    await answered('"name": "Alice"')
  })

  it('shows events of a subscription as they happen', async () => {
    const { page } = watched
    const alice = await conclave.as('alice')
    const conversationId = await createConversation(alice, ['bob'])
    await page.getByRole('button', { name: 'MessageEvents' }).click()
    await setVariables({ conversationId, after: await eventCursor(alice, conversationId) })
    await execute()
    await page.getByRole('button', { name: /^Stop query/ }).waitFor()
    for (const body of ['the first', 'the second']) {
      await send(alice, conversationId, body)
      await answered(`"body": "${body}"`)
    }
    await page.getByRole('button', { name: /^Stop query/ }).click()
  })

  it('runs what was chosen a moment ago, not what was in the editor before', async () => {
    await watched.page.evaluate(`
      for (const text of ['Viewer', 'Execute query']) {
        const named = ({ title, ariaLabel, textContent }) => [title, ariaLabel, textContent].join().includes(text)
        Array.from(document.querySelectorAll('button')).find(named).click()
      }`)
    await answered('"name": "Alice"')
  })

  it('has no barrier but the known ones with an answer, several tabs and the ready operations in it', async () => {
    const { page } = watched
    const broken = await rulesBrokenOn(page, async () => {
      await page.reload()
      await editorsThere()
      await page.getByRole('button', { name: 'Viewer', exact: false }).first().click()
      // Until it is there, the one before would be executed.
      await page.locator('.graphiql-query-editor', { hasText: /query\sViewer/ }).waitFor()
      await execute()
      await answered('"name": "Alice"')
      expect(await barriersOn(page, OURS)).toEqual([])
    })
    expect([...new Set(broken)].toSorted()).toEqual(Object.keys(KNOWN))
  })

  it('remembers the token for as long as the window is open, and no longer', async () => {
    await watched.page.reload()
    await watched.page.getByText(/^Signed in as alice/).waitFor()
    const other = await openPage(context, conclave.url)
    await other.page.goto(`${conclave.url}/graphiql`)
    await other.page.getByText('Signed in as nobody').waitFor()
    expect(other.problems).toEqual([])
  })

  it('has asked no other origin for anything, broken no policy, and logged no error', () => {
    expect(watched.problems).toEqual([])
  })

  /** They come later than the buttons, which do nothing until then. */
  async function editorsThere(): Promise<void> {
    for (const pane of ['.graphiql-query-editor', '.graphiql-response']) {
      await watched.page.locator(pane).locator('.monaco-editor').first().waitFor()
    }
  }

  /** Typing would meet with the editor's own brackets. */
  async function setVariables(variables: object): Promise<void> {
    await watched.page.evaluate((text) => {
      type Model = { uri: { path: string }; setValue(value: string): void }
      const { __MONACO } = globalThis as unknown as { __MONACO: { editor: { getModels(): Model[] } } }
      const model = __MONACO.editor.getModels().find(({ uri }) => uri.path.includes('variables'))
      model?.setValue(text)
    }, JSON.stringify(variables))
  }
})
