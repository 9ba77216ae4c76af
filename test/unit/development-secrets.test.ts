import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { developmentSecret, existingDevelopmentSecret } from '../../src/development-secrets.js'
import { thrownBy } from './failures.js'

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
    mkdirSync(join(folder, 'jwt-secret'))
    expect(thrownBy(() => developmentSecret(folder, 'jwt-secret'))).toMatchObject({ code: 'EISDIR' })
    expect(thrownBy(() => existingDevelopmentSecret(folder, 'jwt-secret'))).toMatchObject({ code: 'EISDIR' })
    expect(statSync(join(folder, 'jwt-secret')).isDirectory()).toBe(true)
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

  it('is read as somebody wrote it, without the line break', () => {
    writeFileSync(join(folder, 'jwt-secret'), 'chosen by hand\n')
    expect(developmentSecret(folder, 'jwt-secret')).toBe('chosen by hand')
  })

  it('is the same one for processes that start at once', async () => {
    const processes = Array.from({ length: 6 }, () => startProcess(folder))
    await Promise.all(processes.map(({ ready }) => ready))
    const made = await Promise.all(processes.map(({ makeSecret }) => makeSecret()))
    expect(new Set(made).size).toBe(1)
    expect(made[0]).toBe(existingDevelopmentSecret(folder, 'master-secret'))
    expect(readdirSync(folder)).toEqual(['master-secret'])
  })
})

/** A process of its own that makes the secret when it is told to, so that several do it together. */
function startProcess(dataDir: string) {
  const module = new URL('../../src/development-secrets.ts', import.meta.url).href
  const script = `
    import { developmentSecret } from ${JSON.stringify(module)}
    process.stderr.write('ready')
    process.stdin.once('data', () => console.log(developmentSecret(process.argv[1], 'master-secret')))`
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', script, dataDir])
  const output = text(child.stdout)
  return {
    ready: once(child.stderr, 'data'),
    makeSecret: async () => {
      child.stdin.end('go')
      return (await output).trim()
    }
  }
}
