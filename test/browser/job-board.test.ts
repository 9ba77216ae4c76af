import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateDueKeysDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { openPage, type WatchedPage } from '../support/browser/watched-page.js'
import { hasRedis, RedisServer } from '../support/redis.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

const ADMIN = { scopes: ['keys:admin'] }

describe.runIf(hasBrowser && hasRedis)('the job board in a browser', () => {
  let redis: RedisServer
  let conclave: TestConclave
  let browser: Browser
  let watched: WatchedPage

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
    await page.getByLabel(/^Token with the scope/).fill(await conclave.token('admin', ADMIN))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('conclave-schedule').first().waitFor()
    expect(page.url()).toBe(`${conclave.url}/jobs/`)
    expect(await page.evaluate('document.cookie')).toBe('')
  })

  it('shows a job with the id of its operation', async () => {
    const { page } = watched
    const { rotateDueKeys } = await (await conclave.as('admin', ADMIN)).run(RotateDueKeysDocument)
    await page.goto(`${conclave.url}/jobs/queue/conclave-operations`)
    await page.getByText(rotateDueKeys.operation.id).first().waitFor()
  })

  it('shows the schedule', async () => {
    const { page } = watched
    await page.goto(`${conclave.url}/jobs/job-schedulers`)
    for (const name of ['rotate-due', 'anchor-audit']) await page.getByText(name).first().waitFor()
  })

  it('opens its settings and their lists', async () => {
    const { page } = watched
    await page.locator('header button').nth(-2).click()
    await page.getByRole('dialog').waitFor()
    await page.getByRole('dialog').getByRole('combobox').first().click()
    await page.getByRole('option').first().waitFor()
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
