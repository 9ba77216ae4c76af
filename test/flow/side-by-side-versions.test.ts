import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { holdTransaction, untilWaiting } from '../support/held-transaction.js'
import { InstalledProgram } from '../support/program.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** Versions of the program on one database, and a migration that does not come to its end. */

let program: InstalledProgram
beforeAll(async () => {
  program = await InstalledProgram.built()
}, 120_000)
afterAll(() => program.remove())

describe('a program whose database was migrated by a newer version', () => {
  let conclave: TestConclave
  const start = () => program.startApi({ ...programEnvironment(conclave), PORT: '0' })
  const migratedBeyond = (name: string) =>
    conclave.database.query('insert into migrations (name, executed_at) values ($1, now())', [name])

  beforeEach(async () => {
    conclave = await bootConclave()
    return () => conclave.close()
  })

  it('does not start where something was taken away that it may need, and names the migration', async () => {
    await migratedBeyond('9999-without-old-columns-contract')
    const { code, output } = await start().finished()
    expect([code, output]).toEqual([1, expect.stringContaining('9999-without-old-columns-contract')])
  })

  it('serves where something was only added', async () => {
    await migratedBeyond('9998-a-new-column')
    await conclave.database.query('alter table messages add column of_a_newer_version text')
    const running = start()
    const alice = new GraphQLClient(await running.ready(), await conclave.token('alice'))
    const id = await createConversation(alice, [])
    expect((await send(alice, id, 'still served')).body).toBe('still served')
    running.terminate()
    expect((await running.finished()).code).toBe(0)
  })
})

describe('a migration that is killed half-way', () => {
  let empty: TestDatabase
  beforeEach(async () => {
    empty = await createTestDatabase({ empty: true })
    return () => empty.drop()
  })

  it('leaves nothing behind, and the next one brings the database up to date', async () => {
    // A table of the same name that somebody else has not committed: the migration waits in its midst.
    const held = await holdTransaction(empty)
    await held.query('create table pooled_keys (id integer)')
    const environment = { DATABASE_URL: empty.url }
    const killed = program.startCommand(['migrate'], environment)
    await untilWaiting(empty, 1)
    await killed.kill()
    await held.query('drop table pooled_keys')
    await held.commit()
    const tables = `select from pg_tables where schemaname = 'public' and tablename <> 'migrations'`
    await vi.waitFor(async () => expect(await empty.query(tables)).toEqual([]))
    expect(await program.run(['run', '-s', 'migrate'], environment)).toMatchObject({ code: 0 })
    expect((await empty.query(tables)).length).toBeGreaterThan(10)
  })
})
