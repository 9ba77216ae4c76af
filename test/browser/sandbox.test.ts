import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { openPage } from '../support/browser/watched-page.js'

const SCRIPTS = 'https://embeddable-sandbox.cdn.apollographql.com/**'
/** Does what Apollo's script does of which the page depends: it is called with options, and can be disposed of. */
const STAND_IN = `window.EmbeddedSandbox = class {
  constructor(options) { document.querySelector(options.target).textContent = JSON.stringify(options) }
  dispose() {}
}`

describe.runIf(hasBrowser)('the page around Apollo Sandbox in a browser', () => {
  let conclave: TestConclave
  let browser: Browser

  beforeAll(async () => {
    conclave = await bootConclave()
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await conclave.close()
  })

  it('says so when Apollo’s site cannot be reached, and asks nobody else', async () => {
    const { page, problems } = await openPage(browser, conclave.url)
    await page.goto(`${conclave.url}/sandbox`)
    await page.getByRole('alert').filter({ hasText: 'Apollo Sandbox cannot be loaded' }).waitFor()
    const asked = problems.filter((problem) => problem.startsWith('request to'))
    expect(asked).toEqual([expect.stringContaining('https://embeddable-sandbox.cdn.apollographql.com/')])
  })

  it('hands Sandbox this server’s addresses, and the ready operation that was chosen', async () => {
    const { page, problems } = await openPage(browser, conclave.url)
    await page.route(SCRIPTS, async (route) => await route.fulfill({ contentType: 'text/javascript', body: STAND_IN }))
    await page.goto(`${conclave.url}/sandbox`)
    const given = page.locator('#sandbox')
    await given.filter({ hasText: 'query Viewer' }).waitFor()
    await page.getByLabel('Ready operations').selectOption('MessageEvents')
    await given.filter({ hasText: 'subscription MessageEvents' }).waitFor()
    expect(JSON.parse((await given.textContent()) ?? '')).toMatchObject({
      initialEndpoint: `${conclave.url}/graphql`,
      initialSubscriptionEndpoint: `${conclave.url.replace('http', 'ws')}/graphql`,
      initialState: { variables: { conversationId: '' } }
    })
    expect(await page.getByRole('alert').isVisible()).toBe(false)
    expect(problems).toEqual([])
  })
})
