import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Secrets that development mode generates on first use, one file each under the data folder, mode
 * 0600. Production refuses to start without its own.
 */
export type DevelopmentSecret = 'master-secret' | 'jwt-secret' | 'postgres-password'

/** @returns base64 of 32 random bytes, the same on every later call for this folder */
export function developmentSecret(dataDir: string, name: DevelopmentSecret): string {
  const path = join(dataDir, name)
  return readIfPresent(path) ?? create(path)
}

/** @returns null where no server ever started on this folder */
export function existingDevelopmentSecret(dataDir: string, name: DevelopmentSecret): string | null {
  return readIfPresent(join(dataDir, name))
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function create(path: string): string {
  // Written whole, then linked: of two processes that start at once both end up with the same secret,
  // and a crash in between leaves no half of one.
  const draft = `${path}.${process.pid}`
  syncToDisk(draft, `${randomBytes(32).toString('base64')}\n`)
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
  syncFolder(dirname(path))
  return readFileSync(path, 'utf8').trim()
}

function syncToDisk(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, text)
    // What the secret protects will be on disk: the secret must be there before.
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
