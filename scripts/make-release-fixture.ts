import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { compose } from '../src/compose.js'
import { loadConfig } from '../src/config.js'
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.js'
import { createLogger } from '../src/log.js'
import { dump } from './release/dump.js'
import { type Writer, writeAfter, writeBefore } from './release/written-world.js'

/**
 * `npm run release-fixture` writes test/fixtures/release-<version>.sql and .json: a database as this version of the
 * program leaves it, and what is in it. Made once for each release, and never again: every later version migrates and
 * opens it.
 */

const secretOf = (id: string) => `${id}=${Buffer.alloc(32, `only for tests: ${id}`).toString('base64')}`
const MASTER_SECRETS = ['first', 'second'].map(secretOf).join(',')
/** First the one wraps, then everything is moved to the other, and then the one wraps again. */
const MASTER_KEYS = { before: 'local:first', after: 'local:second' }

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const path = (extension: string) => join('test', 'fixtures', `release-${version}.${extension}`)

if (existsSync(path('sql'))) {
  console.error(`${path('sql')} is there, and stays as it is: what a release has stored does not change.`)
  process.exitCode = 1
} else {
  await makeFixture()
}

async function makeFixture(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-release-'))
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, 'a password of this run')
  try {
    const conversations = await write(postgres.url)
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    writeFileSync(path('sql'), await dump(client))
    await client.end()
    const about = 'What is in the dump beside it. The master secrets are for tests alone.'
    const contents = { about, masterSecrets: MASTER_SECRETS, masterKeys: Object.values(MASTER_KEYS), conversations }
    writeFileSync(path('json'), `${JSON.stringify(contents, null, 2)}\n`)
    console.log(`${path('sql')} and ${path('json')}: ${conversations.length} conversations`)
  } finally {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function write(databaseUrl: string) {
  let now = Date.UTC(2026, 10, 1, 9)
  const clock = {
    now: () => new Date(now),
    advance: (ms: number) => {
      now += ms
    }
  }
  const withMasterKey = async <T>(current: string, retiring: string, work: (writer: Writer) => Promise<T>) => {
    const environment = {
      NODE_ENV: 'test',
      DATABASE_URL: databaseUrl,
      AUTH_JWT_SECRET: 'only for this run, and long enough for HS256',
      MASTER_KEY: current,
      MASTER_KEYS_RETIRING: retiring,
      MASTER_SECRETS,
      KEY_BITS: '2048'
    }
    const composition = await compose(loadConfig(environment), createLogger('error'), {
      parts: ['api', 'worker'],
      clock
    })
    try {
      return await work({ ...composition.services, clock })
    } finally {
      await composition.close()
    }
  }
  const { before, after } = MASTER_KEYS
  const written = await withMasterKey(before, after, writeBefore)
  return await withMasterKey(after, before, (writer) => writeAfter(writer, written))
}
