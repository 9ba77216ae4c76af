import type { Browser, Page } from 'playwright-core'

/** A page in a browser, and whatever it does that it should not. */
export interface WatchedPage {
  page: Page
  /** Requests to other origins, violations of the content security policy, and errors in the console. */
  problems: string[]
}

/**
 * @param browser or a context of it, in which windows have storage in common
 * @param origin whose pages it opens; nothing else is let through
 */
export async function openPage(browser: Pick<Browser, 'newPage'>, origin: string): Promise<WatchedPage> {
  const page = await browser.newPage()
  const problems: string[] = []
  const isOwn = (url: string) => !/^(https?|wss?):/.test(url) || new URL(url).host === new URL(origin).host
  await page.route(
    (url) => !isOwn(url.href),
    async (route) => {
      problems.push(`request to ${route.request().url()}`)
      await route.abort()
    }
  )
  page.on('websocket', (socket) => isOwn(socket.url()) || problems.push(`socket to ${socket.url()}`))
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`))
  return { page, problems }
}
