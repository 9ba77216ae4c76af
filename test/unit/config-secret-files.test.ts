import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, loadMigrationConfig } from '../../src/config.js'
import { isClosed } from '../../src/secret-files.js'
import { problemsOf } from './config-problems.js'

const folder = mkdtempSync(join(tmpdir(), 'conclave-secret-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const JWT_SECRET = 'a secret of more than 32 bytes, of a test'

describe('a secret in a file', () => {
  it.each(['DATABASE_URL', 'API_DATABASE_URL', 'WORKER_DATABASE_URL', 'REDIS_URL', 'AUTH_JWT_SECRET'])(
    'is refused beside the same in the environment: %s',
    (name) => {
      const value = name === 'REDIS_URL' ? 'redis://localhost' : 'postgres://localhost/a-name-of-enough-bytes'
      expect(problemsOf({ [name]: value, [`${name}_FILE`]: file('beside', value) })).toEqual([
        `${name} and ${name}_FILE are both set: set one of them.`
      ])
    }
  )

  it('is refused where others can read it', () => {
    const path = file('open', JWT_SECRET, 0o640)
    expect(problemsOf({ AUTH_JWT_SECRET_FILE: path })).toEqual([
      `AUTH_JWT_SECRET_FILE can be read by others: chmod 600 ${path}.`
    ])
  })

  it('is refused where there is no such file, without a word of what was given', () => {
    expect(problemsOf({ AUTH_JWT_SECRET_FILE: JWT_SECRET })).toEqual([
      'AUTH_JWT_SECRET_FILE cannot be read (ENOENT): give the path of a file.'
    ])
  })

  it('is refused where the file is empty, or holds what the variable may not', () => {
    expect(problemsOf({ AUTH_JWT_SECRET_FILE: file('empty', '\n') })).toContain(
      'AUTH_JWT_SECRET_FILE names an empty file.'
    )
    expect(problemsOf({ REDIS_URL_FILE: file('wrong', 'hunter2') }).join()).not.toContain('hunter2')
  })

  it('is taken for the variable', () => {
    const config = loadConfig({
      DATABASE_URL_FILE: file('owner', 'postgres://owner@localhost/conclave\n'),
      API_DATABASE_URL_FILE: file('api', 'postgres://api@localhost/conclave'),
      WORKER_DATABASE_URL_FILE: file('worker', 'postgres://worker@localhost/conclave'),
      REDIS_URL_FILE: file('redis', 'redis://localhost\n'),
      AUTH_JWT_SECRET_FILE: file('jwt', `${JWT_SECRET}\n`)
    })
    expect(config).toMatchObject({
      databaseUrl: 'postgres://owner@localhost/conclave',
      apiDatabaseUrl: 'postgres://api@localhost/conclave',
      workerDatabaseUrl: 'postgres://worker@localhost/conclave',
      redisUrl: 'redis://localhost',
      authentication: { jwtSecret: JWT_SECRET }
    })
  })

  it('is taken for migrating as well', () => {
    const url = 'postgres://owner@localhost/conclave'
    expect(loadMigrationConfig({ DATABASE_URL_FILE: file('migrate', url) }).databaseUrl).toBe(url)
    expect(() => loadMigrationConfig({ DATABASE_URL_FILE: join(folder, 'none') })).toThrow(/cannot be read \(ENOENT\)/)
  })
})

describe('a file with a secret is closed to others', () => {
  const OURS = 10_001
  it.each([
    ['not where its group may read it, and it is ours', { uid: OURS, mode: 0o100440 }, OURS, false],
    ['not where its group may read it, and we are root', { uid: 0, mode: 0o100440 }, 0, false],
    ['not where its group may read it, and it is another user’s', { uid: 4_000, mode: 0o100440 }, OURS, false],
    ['not where root’s group may write it', { uid: 0, mode: 0o100460 }, OURS, false],
    ['not where everybody may read it', { uid: 0, mode: 0o100444 }, OURS, false],
    ['where root has let a group of ours read it, as Kubernetes does', { uid: 0, mode: 0o100440 }, OURS, true],
    ['where its owner alone may read it', { uid: OURS, mode: 0o100400 }, OURS, true]
  ])('%s', (_, file, uid, closed) => {
    expect(isClosed(file, uid)).toBe(closed)
  })
})
