import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RotateKeyDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { holdConversation, holdTransaction, untilWaiting } from '../support/held-transaction.js'

/** Two processes on one database, of which the second has gone on to another master key. */

let before: TestConclave
let after: TestConclave

beforeAll(async () => {
  const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64')
  before = await bootConclave()
  after = await bootConclave(
    { databaseUrl: before.database.url },
    {
      MASTER_KEY: 'local:next',
      MASTER_KEYS_RETIRING: 'local:test',
      MASTER_SECRETS: `test=${secretOf(7)},next=${secretOf(8)}`
    }
  )
})
afterAll(async () => {
  await after.close()
  await before.close()
})
beforeEach(async () => {
  await before.database.query('delete from pooled_keys')
})

describe('a pooled pair', () => {
  it('under another master key than the current one is not handed out', async () => {
    await before.workerServices.keySupply.refill(2)
    const id = await createConversation(await after.as('alice'), [])
    expect(await masterKeyOf(id)).toBe('local:next')
    expect(await pooled()).toEqual(['local:test', 'local:test'])
  })

  it('under another master key than the current one does not count as one: new pairs are made', async () => {
    await before.workerServices.keySupply.refill(2)
    expect(await after.workerServices.keySupply.refill(1)).toBe(1)
    expect(await pooled()).toEqual(['local:next', 'local:test', 'local:test'])
    const alice = await after.as('alice')
    const id = await createConversation(alice, [])
    expect(await masterKeyOf(id)).toBe('local:next')
    expect(await pooled()).toEqual(['local:test', 'local:test'])
    await send(alice, id, 'under the next master key')
    after.services.keyring.forgetAll()
    expect((await readBack(alice, id))[0]?.body).toBe('under the next master key')
  })

  it('is still handed out by a process whose current master key it is under', async () => {
    await before.workerServices.keySupply.refill(1)
    await createConversation(await before.as('alice'), [])
    expect(await pooled()).toEqual([])
  })
})

describe('a pair that was made for a rotation which somebody else has done meanwhile', () => {
  it('goes into the pool', async () => {
    const alice = await before.as('alice')
    const id = await createConversation(alice, [])
    const held = await holdConversation(before.database, id)
    const rotations = [1, 2].map(() => alice.run(RotateKeyDocument, { conversationId: id }))
    await untilWaiting(before.database, 2)
    await held.commit()
    const keys = (await Promise.all(rotations)).map(({ rotateKey }) => rotateKey.key.version)
    expect(keys).toEqual([2, 2])
    expect(await pooled()).toEqual(['local:test'])
  })
})

describe('refilling the pool', () => {
  it('several times at once, in several processes, never exceeds the target', async () => {
    const elsewhere = await bootConclave({ databaseUrl: before.database.url })
    for (const target of [1, 3]) {
      await before.database.query('delete from pooled_keys')
      const supplies = [before, elsewhere, before, elsewhere].map(({ services }) => services.keySupply)
      const made = await Promise.all(supplies.map((supply) => supply.refill(target)))
      expect(made.reduce((sum, count) => sum + count)).toBe(target)
      expect(await pooled()).toHaveLength(target)
    }
    await elsewhere.close()
  })

  it('twice, both having found it short by one and about to add theirs, adds one', async () => {
    const held = await holdTransaction(before.database)
    await held.query('lock table pooled_keys in share mode')
    const refills = [1, 2].map(() => before.workerServices.keySupply.refill(1))
    await untilWaiting(before.database, 2)
    await held.commit()
    expect((await Promise.all(refills)).sort()).toEqual([0, 1])
    expect(await pooled()).toHaveLength(1)
  })
})

async function pooled(): Promise<string[]> {
  const rows = await before.database.query<{ key: string }>('select master_key as key from pooled_keys order by 1')
  return rows.map(({ key }) => key)
}

async function masterKeyOf(id: string): Promise<string | undefined> {
  const text = 'select master_key as key from conversation_keys where conversation_id = $1'
  return (await before.database.query<{ key: string }>(text, [id]))[0]?.key
}
