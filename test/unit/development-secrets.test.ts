import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { developmentSecret, existingDevelopmentSecret } from '../../src/development-secrets.js'
import { StartError } from '../../src/start-error.js'
import { thrownBy } from './failures.js'

const READERS = [developmentSecret, existingDevelopmentSecret]

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conclave-secrets-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a development secret', () => {
  it('is not made where there is no folder for it', () => {
    const error = thrownBy(() => developmentSecret(join(folder, 'missing'), 'jwt-secret'))
    expect(error).toMatchObject({ code: 'ENOENT' })
  })

  it('is not taken from, or put in the place of, what cannot be read', () => {
    mkdirSync(join(folder, 'jwt-secret'), { mode: 0o700 })
    for (const read of READERS) expect(thrownBy(() => read(folder, 'jwt-secret'))).toMatchObject({ code: 'EISDIR' })
    expect(statSync(join(folder, 'jwt-secret')).isDirectory()).toBe(true)
  })

  it.each([0o640, 0o604, 0o644, 0o620, 0o601, 0o777])('is refused from a file with mode %o, open to others', (mode) => {
    const text = `${randomBytes(32).toString('base64')}\n`
    const path = write(text, mode)
    for (const read of READERS) {
      expectStartError(
        thrownBy(() => read(folder, 'jwt-secret')),
        `${path} can be read by others: chmod 600 it.`
      )
    }
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it.each([
    ['empty', ''],
    ['a line break', '\n'],
    ['zeros, as after a loss of power', '\u0000'.repeat(45)],
    ['the first half of a secret', randomBytes(32).toString('base64').slice(0, 22)],
    ['without its last character', randomBytes(32).toString('base64').slice(0, -1)],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['64 bytes', randomBytes(64).toString('base64')],
    ['hexadecimal digits', randomBytes(32).toString('hex')],
    ['two secrets', `${randomBytes(32).toString('base64')}\n${randomBytes(32).toString('base64')}\n`],
    ['chosen by hand', 'hunter2 hunter2 hunter2\n']
  ])('is refused, and not made again, where its file is damaged: %s', (_, text) => {
    const path = write(text, 0o600)
    for (const read of READERS) {
      expectStartError(
        thrownBy(() => read(folder, 'jwt-secret')),
        `${path} is damaged: it must hold the base64 of 32 bytes. Restore it.`
      )
    }
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['jwt-secret'])
  })

  it('does not exist before it was made, and is not made by looking', () => {
    expect(existingDevelopmentSecret(folder, 'master-secret')).toBeNull()
    expect(readdirSync(folder)).toEqual([])
  })

  it('is base64 of 32 bytes, in a file that only its owner can read', () => {
    const secret = developmentSecret(folder, 'master-secret')
    expect(secret).toMatch(/^[A-Za-z0-9+/]{43}=$/)
    expect(readdirSync(folder)).toEqual(['master-secret'])
    expect(statSync(join(folder, 'master-secret')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'master-secret'), 'utf8')).toBe(`${secret}\n`)
  })

  it('stays the same on every later call', () => {
    const secret = developmentSecret(folder, 'jwt-secret')
    expect(developmentSecret(folder, 'jwt-secret')).toBe(secret)
    expect(existingDevelopmentSecret(folder, 'jwt-secret')).toBe(secret)
  })

  it('is another one for every name and every folder', () => {
    const other = join(folder, 'other')
    mkdirSync(other)
    const secrets = [folder, other].flatMap((place) => [
      developmentSecret(place, 'master-secret'),
      developmentSecret(place, 'jwt-secret'),
      developmentSecret(place, 'postgres-password')
    ])
    expect(new Set(secrets).size).toBe(6)
  })

  it.each([
    ['no line break', '', 0o600],
    ['a line break', '\n', 0o600],
    ["another system's line break", '\r\n', 0o400]
  ])('is read as somebody wrote it, with %s behind it', (_, end, mode) => {
    const secret = randomBytes(32).toString('base64')
    write(secret + end, mode)
    for (const read of READERS) expect(read(folder, 'jwt-secret')).toBe(secret)
  })

  it('is the same one for processes that start at once', async () => {
    const processes = Array.from({ length: 6 }, () => startProcess(folder))
    for (const { ready } of processes) expect(String(await ready)).toBe('ready')
    const made = await Promise.all(processes.map(({ makeSecret }) => makeSecret()))
    expect(new Set(made).size).toBe(1)
    expect(made[0]).toBe(existingDevelopmentSecret(folder, 'master-secret'))
    expect(readdirSync(folder)).toEqual(['master-secret'])
  })
})

function write(text: string, mode: number): string {
  const path = join(folder, 'jwt-secret')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

function expectStartError(error: Error, message: string): void {
  expect(error).toBeInstanceOf(StartError)
  expect(error.message).toBe(message)
}

/** Node runs TypeScript as it is, but looks for the .js that an import names: this shows it the .ts beside it. */
const RESOLVE_TYPESCRIPT = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const source = (specifier) => specifier.startsWith('.') ? specifier.replace(/[.]js$/, '.ts') : specifier
  registerHooks({ resolve: (specifier, context, next) => next(source(specifier), context) })`)}`

/** A process of its own that makes the secret when it is told to, so that several do it together. */
function startProcess(dataDir: string) {
  const module = new URL('../../src/development-secrets.ts', import.meta.url).href
  const script = `
    import { developmentSecret } from ${JSON.stringify(module)}
    process.stdin.once('data', () => console.log(developmentSecret(process.argv[1], 'master-secret')))
    process.stderr.write('ready')`
  const options = ['--no-warnings', '--import', RESOLVE_TYPESCRIPT, '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, [...options, dataDir])
  const output = text(child.stdout)
  return {
    /** "ready", or why it could not start. */
    ready: once(child.stderr, 'data'),
    makeSecret: async () => {
      child.stdin.end('go')
      return (await output).trim()
    }
  }
}
