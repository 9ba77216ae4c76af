import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { DeleteConversationDocument } from '../../documents/generated.js'
import { signToken } from '../../src/identity/sign-token.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { freePort, InstalledProgram } from '../support/program.js'
import { TestClock } from '../support/test-clock.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** The real programs, each with its own login and no other, as docs/operations.md gives them. */

const SECRET = 'only for tests, and long enough for HS256'

let program: InstalledProgram
let database: TestDatabase

beforeAll(async () => {
  program = await InstalledProgram.built()
  database = await createTestDatabase({ empty: true })
}, 120_000)
afterAll(async () => {
  await program.remove()
  await database.drop()
})

describe('an API and a worker that have no login of the owner’s', () => {
  it('do not start before somebody has migrated, and migrating wants the owner’s', async () => {
    const api = await program.startApi(environment('api')).finished()
    expect([api.code, api.output]).toEqual([1, expect.stringContaining('Run npm run -s migrate first')])
    const without = await program.run(['run', '-s', 'migrate'])
    expect([without.code, without.output]).toEqual([1, expect.stringMatching(/^DATABASE_URL is missing/)])
    const migrated = await program.run(['run', '-s', 'migrate'], { DATABASE_URL: database.url })
    expect(migrated).toEqual({ code: 0, output: 'The database is up to date.\n' })
  })

  it('hold a conversation, and purge it, on connections of their own', async () => {
    const port = await freePort()
    const api = program.startApi({ ...environment('api'), PORT: String(port) })
    const url = await api.ready()
    const worker = program.startWorker(environment('worker'))
    await worker.printed("Conclave's worker runs")
    const { token } = await signToken(
      { jwtSecret: SECRET, jwksUrl: null, issuer: null, audience: null },
      new TestClock(),
      { userId: 'alice', scopes: [] }
    )
    const alice = new GraphQLClient(url, token)
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'by the API alone')
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual(['by the API alone'])
    const users = await database.query<{ user: string }>(`
      select distinct usename::text as user from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend' order by 1`)
    expect(users.map(({ user }) => user)).toEqual(['conclave_api_login', 'conclave_worker_login'])

    await alice.run(DeleteConversationDocument, { conversationId: id })
    const left = async () => await database.query('select from conversations where id = $1', [id])
    await vi.waitFor(async () => expect(await left()).toEqual([]), { timeout: 30_000 })
    await alice.close()
    for (const running of [worker, api]) await running.interrupt()
    expect(api.output + worker.output).not.toContain('permission denied')
  })
})

function environment(part: 'api' | 'worker'): Record<string, string> {
  const [variable, role] =
    part === 'api'
      ? (['API_DATABASE_URL', 'conclave_api'] as const)
      : (['WORKER_DATABASE_URL', 'conclave_worker'] as const)
  return {
    [variable]: database.urlOf(role),
    AUTH_JWT_SECRET: SECRET,
    MASTER_KEY: 'local:test',
    MASTER_SECRETS: `test=${Buffer.alloc(32, 7).toString('base64')}`,
    KEY_BITS: '2048',
    SCAN_EVERY: 'PT1S'
  }
}
