import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database } from '../../src/database/database.js'
import { databaseLogin } from '../../src/database/database-login.js'
import { createLogger } from '../../src/log.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** Connections that go away while a transaction has them: one more of them than the pool has places. */

const PLACES = 2
const LOSSES = PLACES + 1

let server: TestDatabase
let database: Database

beforeEach(async () => {
  server = await createTestDatabase()
  database = await Database.open(databaseLogin(server.url, 'conclave_api'), PLACES, createLogger('silent'))
})
// Closing waits for every connection: one that is never given back is found here as well.
afterEach(async () => {
  await database.close()
  await server.drop()
})

const OWN_PID = 'select pg_backend_pid() as pid'
const endConnection = async (pid: number) => await server.query('select pg_terminate_backend($1, 5000)', [pid])

describe('a transaction whose connection is lost', () => {
  it.each<[string, () => Promise<unknown>]>([
    [
      'before it begins',
      async () => {
        const [connection] = await database.run<{ pid: number }>({ text: OWN_PID }, [])
        await endConnection(connection?.pid ?? 0)
        return await database.transaction(async (em) => await em.execute('select 1'))
      }
    ],
    [
      'between its statements',
      async () =>
        await database.transaction(async (em) => {
          const [connection] = await em.execute<{ pid: number }[]>(OWN_PID)
          await endConnection(connection?.pid ?? 0)
          await em.execute('select 1')
        })
    ],
    [
      'before its commit',
      async () =>
        await database.transaction(async (em) => {
          const [connection] = await em.execute<{ pid: number }[]>(OWN_PID)
          await endConnection(connection?.pid ?? 0)
        })
    ],
    [
      'in a statement',
      async () =>
        await database.transaction(async (em) => {
          const [connection] = await em.execute<{ pid: number }[]>(OWN_PID)
          await Promise.all([em.execute('select pg_sleep(60)'), endConnection(connection?.pid ?? 0)])
        })
    ]
  ])('%s keeps no place in the pool', async (_, loseOne) => {
    for (let count = 0; count < LOSSES; count++) await loseOne().catch(() => {})
    expect(await database.transaction(async (em) => await em.execute('select 1 as answer'))).toEqual([{ answer: 1 }])
    expect(database.connections).toEqual({ busy: 0, idle: 1, waiting: 0 })
  })

  it('fails, and is not taken for committed', async () => {
    const lost = database.transaction(async (em) => {
      const [connection] = await em.execute<{ pid: number }[]>(OWN_PID)
      await endConnection(connection?.pid ?? 0)
    })
    await expect(lost).rejects.toThrow()
  })
})
