import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** What the network says itself about a server that is away. */
const OF_THE_NETWORK = /net::ERR_|WebSocket connection to|Failed to fetch/

// A text: it runs in the page, whose types are not those of Node.
const HEAR_VIOLATIONS = `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  console.error('the content security policy refuses ' + violatedDirective + ' ' + blockedURI))`

/** A person in a window of their own, and everything that goes wrong in it. */
export class Visitor {
  readonly page: Page
  readonly #faults: string[] = []

  private constructor(page: Page, origin: string) {
    this.page = page
    page.on('console', (message) => message.type() === 'error' && this.#faults.push(message.text()))
    page.on('pageerror', (error) => this.#faults.push(String(error)))
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.#faults.push(`a request to ${request.url()}`)
    })
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(origin).host) this.#faults.push(`a socket to ${socket.url()}`)
    })
  }

  /** Opens the console in a window of nobody yet. */
  static async at(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    const visitor = new Visitor(page, new URL(url).origin)
    await page.addInitScript(HEAR_VIOLATIONS)
    await page.goto(url)
    return visitor
  }

  /** Signs in with the one click that development mode has. */
  static async as(name: string, browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await Visitor.at(browser, url, options)
    await visitor.page.getByRole('button', { name: new RegExp(`^${name}`) }).click()
    await visitor.page.getByText('Live', { exact: true }).waitFor()
    return visitor
  }

  static async withToken(token: string, browser: Browser, url: string): Promise<Visitor> {
    const visitor = await Visitor.at(browser, url)
    await visitor.signInWith(token)
    return visitor
  }

  async signInWith(token: string): Promise<void> {
    const { page } = this
    await page.getByText('Sign in with a bearer token').click()
    await page.getByLabel('Bearer token').fill(token)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('Live', { exact: true }).waitFor()
  }

  /** Console errors, exceptions, refusals by the content security policy, requests to elsewhere. */
  faults({ serverWasAway = false } = {}): string[] {
    return this.#faults.filter((fault) => !(serverWasAway && OF_THE_NETWORK.test(fault)))
  }

  async close(): Promise<void> {
    await this.page.context().close()
  }
}
