import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { findBrowser } from './find-browser.js'

const INSTALLING_MS = 300_000

/** Debian's own is installed where it is missing and may be. */
const path = findBrowser() ?? install()
export const hasBrowser = path !== null

/** One Chromium, which talks to nobody of its own accord. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: path ?? '',
    // Root may not have the sandbox.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage']
  })
}

function install(): string | null {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return null
  const apt = (...args: string[]) =>
    execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=240', ...args], {
      stdio: 'ignore',
      timeout: INSTALLING_MS
    })
  try {
    apt('update')
    apt('install', '-y', 'chromium')
  } catch {
    // The end of the run says that it did not run.
  }
  return findBrowser()
}
