import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateDueKeysDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { type KnownBarriers, rulesBrokenOn } from '../support/browser/accessibility.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { openPage, type WatchedPage } from '../support/browser/watched-page.js'
import { hasRedis, RedisServer } from '../support/redis.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

const ADMIN = { scopes: ['keys:admin'] }

/** In what Bull Board draws: its page is made by its scripts, under class names that change with every version. */
const KNOWN: KnownBarriers = {
  'button-name': 'buttons of the header, of menus and for copying are pictures without a name',
  'color-contrast': 'small grey, amber and green text has less than 4.5:1, in the light more of it than in the dark',
  'label-content-name-mismatch': 'the name of the badge of a queue without workers leaves out the number that it shows'
}

describe.runIf(hasBrowser && hasRedis)('the job board in a browser', () => {
  let redis: RedisServer
  let conclave: TestConclave
  let browser: Browser
  let watched: WatchedPage
  const broken = new Set<string>()
  const look = async () => {
    for (const rule of await rulesBrokenOn(watched.page)) broken.add(rule)
  }

  beforeAll(async () => {
    redis = await RedisServer.start()
    conclave = await bootConclave({ redisUrl: redis.url })
    await (await startReadyWorker(conclave, placeOf(conclave, redis.url))).close()
    browser = await launchBrowser()
    watched = await openPage(browser, conclave.url)
  })
  afterAll(async () => {
    await browser.close()
    await conclave.close()
    await redis.stop()
  })

  it('asks for a token first, and shows the queues with it', async () => {
    const { page } = watched
    await page.goto(`${conclave.url}/jobs`)
    // That it was refused stands in the console; it is what was asked for.
    expect(watched.problems.splice(0)).toEqual([expect.stringContaining('401')])
    expect(await rulesBrokenOn(page)).toEqual([])
    await page.getByLabel(/^Token with the scope/).fill(await conclave.token('admin', ADMIN))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('conclave-schedule').first().waitFor()
    await look()
    expect(page.url()).toBe(`${conclave.url}/jobs/`)
    expect(await page.evaluate('document.cookie')).toBe('')
  })

  it('shows a job with the id of its operation', async () => {
    const { page } = watched
    const { rotateDueKeys } = await (await conclave.as('admin', ADMIN)).run(RotateDueKeysDocument)
    await page.goto(`${conclave.url}/jobs/queue/conclave-operations`)
    await page.getByText(rotateDueKeys.operation.id).first().waitFor()
    await look()
  })

  it('shows the schedule', async () => {
    const { page } = watched
    await page.goto(`${conclave.url}/jobs/job-schedulers`)
    for (const name of ['rotate-due', 'anchor-audit']) await page.getByText(name).first().waitFor()
    await look()
  })

  it('opens its settings and their lists', async () => {
    const { page } = watched
    await page.locator('header button').nth(-2).click()
    await page.getByRole('dialog').waitFor()
    await page.getByRole('dialog').getByRole('combobox').first().click()
    await page.getByRole('option').first().waitFor()
    await look()
  })

  it('has had no barrier on these pages but the known ones', () => {
    expect([...broken].toSorted()).toEqual(Object.keys(KNOWN))
  })

  it('has asked no other origin for anything, broken no policy, and logged no error', () => {
    expect(watched.problems).toEqual([])
  })

  it('lets an administrator sign out', async () => {
    const { page } = watched
    await page.goto(`${conclave.url}/jobs/session`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.context().cookies()).toEqual([])
  })
})
