import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { RotateKeyDocument } from '../../documents/generated.js'
import { KeySupply, type WrappedKeyPair } from '../../src/conversation-key/key-supply.js'
import { KeyUnavailable } from '../../src/errors.js'
import { MasterKeyError } from '../../src/master-key/master-key-error.js'
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
afterEach(() => {
  vi.restoreAllMocks()
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

describe('a pair from the pool', () => {
  it('is used once, as it was made, and the oldest first', async () => {
    const { keySupply } = before.workerServices
    const madeAt: Date[] = []
    for (const target of [1, 2]) {
      madeAt.push(before.clock.now())
      await keySupply.refill(target)
      before.clock.advance(1000)
    }
    const stored = await before.database.query<{ keyId: string; wrapped: Buffer }>(
      'select key_id as "keyId", wrapped_private_key as wrapped from pooled_keys order by created_at'
    )
    const taken = [await take(keySupply), await take(keySupply)]
    expect(taken.map(({ keyId, wrappedPrivateKey }) => ({ keyId, wrapped: wrappedPrivateKey }))).toEqual(stored)
    expect(taken.map(({ createdAt }) => createdAt)).toEqual(madeAt)
    expect(taken.map(({ modulusBits }) => modulusBits)).toEqual([2048, 2048])
    expect(await pooled()).toEqual([])
  })

  it('goes back when what it was taken for fails', async () => {
    await before.workerServices.keySupply.refill(1)
    const failing = before.services.keySupply.withKeyPair(async (_, takePair) => {
      await takePair()
      throw new Error('nothing came of it')
    })
    await expect(failing).rejects.toThrow('nothing came of it')
    expect(await pooled()).toEqual(['local:test'])
  })

  it('of another size is not counted, and not handed out', async () => {
    const { services } = before
    await before.workerServices.keySupply.refill(1)
    const larger = new KeySupply(services, 3072)
    expect(await larger.pooled()).toBe(0)
    expect(await take(larger)).toMatchObject({ modulusBits: 3072 })
    expect(await pooled()).toHaveLength(1)
  })
})

describe('a pair for a new conversation', () => {
  it('is another where somebody else has taken the one that was found', async () => {
    const alice = await before.as('alice')
    await before.workerServices.keySupply.refill(3)
    await createConversation(alice, [])
    const [left] = await keyIds('pooled_keys')
    await before.database.query('delete from pooled_keys where key_id <> $1', [left])
    const id = await createConversation(alice, [])
    expect(await keyIds('conversation_keys', [id])).toEqual([left])
    expect(await pooled()).toEqual([])
  })

  it('is not one that a rotation is about to take, which nobody waits for', async () => {
    const alice = await before.as('alice')
    await before.workerServices.keySupply.refill(2)
    const [first, second] = await keyIds('pooled_keys')
    const held = await holdTransaction(before.database)
    await held.query(`delete from pooled_keys where key_id = '${first}'`)
    const created = [await createConversation(alice, []), await createConversation(alice, [])]
    const used = await keyIds('conversation_keys', created)
    expect(used).not.toContain(first)
    expect(used).toContain(second)
    await held.commit()
  })

  it('is used once, by two processes that create many at once', async () => {
    const elsewhere = await bootConclave({ databaseUrl: before.database.url })
    await before.workerServices.keySupply.refill(6)
    const pairs = await keyIds('pooled_keys')
    const owners = [await before.as('alice'), await elsewhere.as('bob')]
    const ids = await Promise.all([0, 1, 2].flatMap(() => owners.map((owner) => createConversation(owner, []))))
    const used = await keyIds('conversation_keys', ids)
    expect(new Set(used).size).toBe(6)
    expect(pairs.filter((pair) => !used.includes(pair))).toEqual(await keyIds('pooled_keys'))
    await elsewhere.close()
  })

  it('stays in the pool when the conversation is refused, of which nothing is left then', async () => {
    await before.workerServices.keySupply.refill(1)
    await before.database.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'not stored'; end $$;
      create trigger refusing before insert on members for each row when (new.user_id = 'refused')
        execute function refuse()`)
    const alice = await before.as('alice')
    await expect(createConversation(alice, ['refused'])).rejects.toThrow()
    expect(await before.database.query(`select from users where id = 'refused'`)).toEqual([])
    expect(await pooled()).toEqual(['local:test'])
    await before.database.query('drop trigger refusing on members; drop function refuse')
    await createConversation(alice, ['refused'])
    expect(await pooled()).toEqual([])
  })

  it('is made, and goes through the pool, where that is empty', async () => {
    const counted = vi.spyOn(before.services.metrics.keyUse.rsaGenerations, 'inc')
    const id = await createConversation(await before.as('alice'), [])
    expect(counted).toHaveBeenCalledOnce()
    expect(await masterKeyOf(id)).toBe('local:test')
    expect(await pooled()).toEqual([])
  })
})

describe('a pair that is made because the pool is empty', () => {
  it('is used, and not put into the pool', async () => {
    const made = await take(before.services.keySupply)
    expect(made).toMatchObject({ modulusBits: 2048, masterKey: 'local:test', createdAt: before.clock.now() })
    expect(await pooled()).toEqual([])
  })

  it('goes into the pool when what it was made for fails', async () => {
    let attempts = 0
    const failing = before.services.keySupply.withKeyPair(async (_, takePair) => {
      attempts++
      await takePair()
      throw new Error('nothing came of it')
    })
    await expect(failing).rejects.toThrow('nothing came of it')
    expect(attempts).toBe(2)
    expect(await pooled()).toEqual(['local:test'])
  })

  it('does not go into the pool when the commit fails: it may be in use', async () => {
    await before.database.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'not committed'; end $$;
      create constraint trigger refusing after insert on users deferrable initially deferred
        for each row execute function refuse()`)
    const failing = before.services.keySupply.withKeyPair(async (em, takePair) => {
      await takePair()
      await em.execute(`insert into users (id, name, created_at) values ('nobody', '', now())`)
    })
    await expect(failing).rejects.toThrow('not committed')
    expect(await pooled()).toEqual([])
    await before.database.query('drop trigger refusing on users; drop function refuse')
  })

  it('leaves no private key in memory', async () => {
    const wrap = vi.spyOn(before.services.masterKeys.current, 'wrap')
    await take(before.services.keySupply)
    const [privateKey] = wrap.mock.calls.flatMap(([keys]) => keys.map((key) => key.privateKey))
    expect(privateKey?.every((byte) => byte === 0)).toBe(true)
  })

  it('is counted among the RSA operations', async () => {
    const counted = vi.spyOn(before.services.metrics.keyUse.rsaGenerations, 'inc')
    await take(before.services.keySupply)
    expect(counted).toHaveBeenCalledOnce()
  })
})

describe('a pair that is made ahead, where the pool is known to be empty', () => {
  it('is there before the work begins, which is done once', async () => {
    const { keySupply, metrics } = before.services
    const counted = vi.spyOn(metrics.keyUse.rsaGenerations, 'inc')
    const work = vi.fn(async (_: unknown, takePair: () => Promise<WrappedKeyPair>) => {
      expect(counted).toHaveBeenCalledOnce()
      return await takePair()
    })
    expect(await keySupply.withKeyPair(work, { ahead: true })).toMatchObject({ masterKey: 'local:test' })
    expect(work).toHaveBeenCalledOnce()
    expect(await pooled()).toEqual([])
  })

  it('goes into the pool when it is not wanted', async () => {
    await before.services.keySupply.withKeyPair(async () => {}, { ahead: true })
    expect(await pooled()).toEqual(['local:test'])
  })
})

describe('with an empty pool and the master key out of reach', () => {
  const outage = new MasterKeyError('UNREACHABLE', 'local:test', 'it is away')

  it('no pair is made, and the log says why', async () => {
    const { keySupply, masterKeys, metrics } = before.services
    const counted = vi.spyOn(metrics.keyUse.rsaGenerations, 'inc')
    vi.spyOn(masterKeys.current, 'version').mockRejectedValue(outage)
    await expect(take(keySupply)).rejects.toBeInstanceOf(KeyUnavailable)
    expect(counted).not.toHaveBeenCalled()
    const [entry] = logged('new key cannot be wrapped')
    expect(entry).toMatchObject({ masterKey: 'local:test', kind: 'UNREACHABLE', reason: outage.message })
  })

  it('just when a pair was made, the pair is lost, and its private key is not left in memory', async () => {
    const { keySupply, masterKeys } = before.services
    const wrap = vi.spyOn(masterKeys.current, 'wrap').mockRejectedValue(outage)
    await expect(take(keySupply)).rejects.toBeInstanceOf(KeyUnavailable)
    const [privateKey] = wrap.mock.calls.flatMap(([keys]) => keys.map((key) => key.privateKey))
    expect(privateKey?.every((byte) => byte === 0)).toBe(true)
    expect(await pooled()).toEqual([])
  })

  it('any other failure is passed on as it is', async () => {
    const { keySupply, masterKeys } = before.services
    vi.spyOn(masterKeys.current, 'version').mockRejectedValue(new TypeError('a mistake of ours'))
    await expect(take(keySupply)).rejects.toThrow(TypeError)
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
  it('stops at its target, and says how many it made', async () => {
    const { keySupply } = before.workerServices
    expect(await keySupply.refill(2)).toBe(2)
    expect(await keySupply.refill(2)).toBe(0)
    expect(await pooled()).toHaveLength(2)
  })

  it('stops soon after it is asked to, and leaves the rest to a later run', async () => {
    const stop = new AbortController()
    stop.abort()
    expect(await before.workerServices.keySupply.refill(3, stop.signal)).toBe(0)
    expect(await pooled()).toEqual([])
  })

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

function take(keySupply: KeySupply): Promise<WrappedKeyPair> {
  return keySupply.withKeyPair((_, takePair) => takePair())
}

function logged(message: string): unknown[] {
  const lines = before.logged().split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message)
}

async function pooled(): Promise<string[]> {
  const rows = await before.database.query<{ key: string }>('select master_key as key from pooled_keys order by 1')
  return rows.map(({ key }) => key)
}

async function masterKeyOf(id: string): Promise<string | undefined> {
  const text = 'select master_key as key from conversation_keys where conversation_id = $1'
  return (await before.database.query<{ key: string }>(text, [id]))[0]?.key
}

/** Of conversations, or of the pool. */
async function keyIds(table: 'pooled_keys' | 'conversation_keys', conversationIds?: string[]): Promise<string[]> {
  const where = conversationIds ? 'where conversation_id = any($1)' : ''
  const text = `select key_id as id from ${table} ${where} order by created_at`
  const rows = await before.database.query<{ id: string }>(text, conversationIds && [conversationIds])
  return rows.map(({ id }) => id)
}
