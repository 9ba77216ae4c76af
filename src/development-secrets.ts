import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StartError } from './start-error.js'

/**
 * Secrets that development mode generates on first use, one file each under the data folder, mode
 * 0600. Production refuses to start without its own.
 */
export type DevelopmentSecret = 'master-secret' | 'jwt-secret' | 'postgres-password'

const SECRET = /^[A-Za-z0-9+/]{43}=$/

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
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return null
  if ((found.mode & 0o077) !== 0) throw new StartError(`${path} can be read by others: chmod 600 it.`)
  const secret = readFileSync(path, 'utf8').trim()
  if (!SECRET.test(secret)) throw new StartError(`${path} is damaged: it must hold the base64 of 32 bytes. Restore it.`)
  return secret
}

function create(path: string): string {
  // Written whole, then linked: of two processes that start at once both end up with the same secret,
  // and a crash in between leaves no half of one.
  const draft = `${path}.${randomUUID()}`
  syncToDisk(draft, `${randomBytes(32).toString('base64')}\n`)
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
  syncFolder(dirname(path))
  return readIfPresent(path) ?? create(path)
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
