import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { holdTransaction, untilWaiting } from '../support/held-transaction.js'
import { InstalledProgram } from '../support/program.js'
import { expectOpens, readRelease } from '../support/release-fixture.js'
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
  it('leaves a database with all that an earlier version has written as it was, and the next one brings it up to date', async () => {
    const fixture = readRelease('release-0.1.0')
    const database = await createTestDatabase({ empty: true })
    await database.query(fixture.sql)
    const before = await contentsOf(database)
    // A name of the last migration, which somebody else has taken and not committed: it waits behind all the others.
    const held = await holdTransaction(database)
    await held.query('create table key_events_actor (id integer)')
    const killed = program.startCommand(['migrate'], { DATABASE_URL: database.url })
    await untilWaiting(database, 1)
    await killed.kill()
    await held.query('drop table key_events_actor')
    await held.commit()
    await vi.waitFor(async () => expect(await contentsOf(database)).toEqual(before))
    expect(await program.run(['run', '-s', 'migrate'], { DATABASE_URL: database.url })).toMatchObject({ code: 0 })
    expect(await contentsOf(database)).not.toEqual(before)
    const conclave = await bootConclave({ databaseUrl: database.url }, fixture.variables)
    await expectOpens(conclave, fixture)
    await conclave.close()
    await database.drop()
  })
})

/** Every table and every row. */
async function contentsOf(database: TestDatabase): Promise<unknown> {
  return await database.query(`select schema_to_xml_and_xmlschema('public', true, false, '') as contents`)
}
