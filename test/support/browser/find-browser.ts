import { existsSync } from 'node:fs'

/** What the end of a test run says where there is none. */
export const BROWSER_MISSING =
  'Not run: the console in a browser. Install chromium, or name a Chromium in CHROMIUM_BIN, to run it.'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** A Chromium of this machine; null where there is none. */
export function findBrowser(): string | null {
  return [process.env.CHROMIUM_BIN ?? '', ...PLACES].find((path) => existsSync(path)) ?? null
}
