import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../dist/src/database/embedded-postgres.js'
import { migrate } from '../dist/src/database/migrate.js'

/**
 * Starts the PostgreSQL of a run, which outlives those that run the tests: Stryker kills them where a mutant does not end.
 * What they leave in it is gone with it.
 *
 * @returns what the tests are provided with: its addresses, and a folder for key pairs; and what ends it
 */
export async function startDatabase() {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-mutation-'))
  // The user that PostgreSQL runs as must come through.
  await chmod(folder, 0o711)
  const builds = await mkdtemp(join(tmpdir(), 'conclave-mutation-builds-'))
  const postgres = await startEmbeddedPostgres(folder, 'a password of the mutation run')
  await migrate(postgres.url)
  return {
    provided: {
      builds,
      templateUrl: postgres.url,
      roleUrls: { conclave_api: postgres.apiUrl, conclave_worker: postgres.workerUrl }
    },
    async stop() {
      await postgres.stop()
      for (const made of [folder, builds]) await rm(made, { recursive: true, force: true })
    }
  }
}
