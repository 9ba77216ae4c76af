import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { buildPages } from '../../scripts/build-pages.js'
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.js'
import { migrate } from '../../src/database/migrate.js'
import { BROWSER_MISSING, findBrowser } from './browser/find-browser.js'
import { canContain } from './containers/contained-process.js'
import { PROMTOOL_MISSING, promtoolCommand } from './promtool.js'
import { missingProviderTools } from './providers/provider-tools.js'
import { hasReader, READER_MISSING } from './reader.js'
import { hasRedis } from './redis.js'
import { canHaveDisks } from './small-disk.js'
import { hasWycheproof, WYCHEPROOF_MISSING } from './wycheproof.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a migrated database, to be cloned and never to be used itself. */
    templateUrl: string
    /** URLs of the same, of the logins that have the rights of one role each. */
    roleUrls: { conclave_api: string; conclave_worker: string }
    /** Folder in which the first test that builds the program leaves it for the others. */
    builds: string
  }
}

/** One real PostgreSQL for the whole run; every test file works on databases of its own. And the pages that servers serve. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildPages(join(import.meta.dirname, '../..'))
  const folder = await mkdtemp(join(tmpdir(), 'conclave-test-'))
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, 'a password of the test run')
  await writeWithoutSync(postgres.url)
  await migrate(postgres.url)
  project.provide('templateUrl', postgres.url)
  const builds = await mkdtemp(join(tmpdir(), 'conclave-builds-'))
  project.provide('builds', builds)
  project.provide('roleUrls', { conclave_api: postgres.apiUrl, conclave_worker: postgres.workerUrl })
  return async () => {
    await postgres.stop()
    for (const made of [folder, builds]) await rm(made, { recursive: true, force: true })
    for (const line of missingProviderTools()) console.log(`\n${line}`)
    if (!canHaveDisks) console.log('\nNot run: what a full disk does. It needs Linux, and root.')
    if (!findBrowser()) console.log(`\n${BROWSER_MISSING}`)
    if (!canContain)
      console.log('\nNot run: what the image and compose.yaml start. It needs Linux, root, unshare and setpriv.')
    if (!hasRedis) console.log('\nNot run: what needs Redis. Install redis-server, or set REDIS_URL, to run it.')
    if (!promtoolCommand) console.log(`\n${PROMTOOL_MISSING}`)
    if (!hasReader) console.log(`\n${READER_MISSING}`)
    if (!hasWycheproof) console.log(`\n${WYCHEPROOF_MISSING}`)
  }
}

/**
 * What a server that is killed has written its system keeps all the same; a loss of power is not among the tests. With it
 * each database that a test makes costs half a second of a core, on disks that are slow to say that they have something.
 */
async function writeWithoutSync(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('alter system set fsync = off')
  await client.query('select pg_reload_conf()')
  await client.end()
}
