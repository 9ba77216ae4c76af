import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterEach, expect } from 'vitest'

/** What the network says itself about a server that is away. */
const OF_THE_NETWORK = /net::ERR_|WebSocket connection to|Failed to fetch/

// A text: it runs in the page, whose types are not those of Node.
const HEAR_VIOLATIONS = `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  console.error('the content security policy refuses ' + violatedDirective + ' ' + blockedURI))`

/** Windows that are open. What goes wrong in any of them fails the test that it goes wrong in. */
const visitors = new Set<Visitor>()
afterEach(() => expect([...visitors].flatMap((visitor) => visitor.takeFaults())).toEqual([]))

/** A frame that a page has sent over a socket (graphql-transport-ws). */
export interface SentFrame {
  type: string
  payload?: { operationName?: string; variables?: Record<string, unknown> }
}

/** A person in a window of their own, and everything that goes wrong in it. */
export class Visitor {
  readonly page: Page
  /** Over every socket, in their order. */
  readonly sent: SentFrame[] = []
  readonly #faults: string[] = []
  #networkMayFail = false

  private constructor(page: Page, origin: string) {
    this.page = page
    page.on('console', (message) => message.type() === 'error' && this.#faults.push(message.text()))
    page.on('pageerror', (error) => this.#faults.push(String(error)))
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.#faults.push(`a request to ${request.url()}`)
    })
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(origin).host) this.#faults.push(`a socket to ${socket.url()}`)
      socket.on('framesent', ({ payload }) => this.sent.push(JSON.parse(String(payload)) as SentFrame))
    })
    visitors.add(this)
  }

  /** Opens the console in a window of nobody yet. */
  static async at(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    return await Visitor.#open(browser, url, options, [])
  }

  /** Signs in with the one click that development mode has. */
  static async as(name: string, browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await Visitor.at(browser, url, options)
    await visitor.page.getByRole('button', { name: new RegExp(`^${name}`) }).click()
    await visitor.isLive()
    return visitor
  }

  static async withToken(token: string, browser: Browser, url: string): Promise<Visitor> {
    const visitor = await Visitor.at(browser, url)
    await visitor.signInWith(token)
    return visitor
  }

  /** Opens an address in a window in which the same person is signed in from the start, and nothing was loaded before. */
  async inAnotherWindow(browser: Browser, url: string): Promise<Visitor> {
    const stored = await this.page.evaluate<string>('JSON.stringify(sessionStorage)')
    return await Visitor.#open(browser, url, {}, [`Object.assign(sessionStorage, ${stored})`])
  }

  static async #open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions,
    scripts: string[]
  ): Promise<Visitor> {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    const visitor = new Visitor(page, new URL(url).origin)
    for (const script of [HEAR_VIOLATIONS, ...scripts]) await page.addInitScript(script)
    await page.goto(url)
    return visitor
  }

  async signInWith(token: string): Promise<void> {
    const { page } = this
    const field = page.getByLabel('Bearer token')
    const summary = page.getByText('Sign in with a bearer token')
    await summary.waitFor()
    // Open from the start where there is no other way in.
    if (!(await field.isVisible())) await summary.click()
    await field.fill(token)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await this.isLive()
  }

  async isLive(): Promise<void> {
    await this.page.getByText('Live', { exact: true }).waitFor()
  }

  /** From now on it is no fault what the network says: the test takes the server away. */
  forgiveNetwork(): void {
    this.#networkMayFail = true
  }

  /** Console errors, exceptions, refusals by the content security policy, requests to elsewhere, since it was last asked. */
  takeFaults(): string[] {
    return this.#faults.splice(0).filter((fault) => !(this.#networkMayFail && OF_THE_NETWORK.test(fault)))
  }

  async close(): Promise<void> {
    await this.page.context().close()
    visitors.delete(this)
    expect(this.takeFaults()).toEqual([])
  }
}
