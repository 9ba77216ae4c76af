import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DataKeyPlace, Keyring } from '../../../src/conversation-key/keyring.js'
import { newDataKey } from '../../../src/conversation-key/new-data-key.js'
import { fingerprint, generateRsaKeyPair, type KeyPairBytes } from '../../../src/crypto/key-transport.js'
import { type DataKey, generateDataKey, masterSecretFrom } from '../../../src/crypto/keys.js'
import type { Database } from '../../../src/database/database.js'
import { KeyUnavailable } from '../../../src/errors.js'
import { createLogger } from '../../../src/log.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { MasterKeys } from '../../../src/master-key/master-keys.js'
import { Metrics } from '../../../src/metrics/metrics.js'
import { rejectionOf } from '../failures.js'

const UNAVAILABLE = { state: 'UNAVAILABLE', retry: false }
const OUT_OF_REACH = { state: 'UNAVAILABLE', retry: true }
const TTL_MS = 60_000

let pair: KeyPairBytes
beforeAll(async () => {
  pair = await generateRsaKeyPair(2048)
})

let masterKey: LocalMasterKey
let rows: Row[]
let lookUps: DataKeyPlace[][]
/** Settled before a look-up is answered. */
let lookingUp: Promise<unknown>
let logged: Record<string, unknown>[]
let keyring: Keyring
beforeEach(() => {
  masterKey = new LocalMasterKey('a', masterSecretFrom(Buffer.alloc(32, 7)))
  rows = []
  lookUps = []
  logged = []
  lookingUp = Promise.resolve()
  const lookUp = async (_: unknown, [conversations, dataKeys]: string[][]) => {
    const wanted = (conversations ?? []).map((conversationId, index) => ({
      conversationId,
      dataKeyId: dataKeys?.[index] ?? ''
    }))
    lookUps.push(wanted)
    const found = rows.filter((row) => wanted.some((place) => isPlace(row, place)))
    await lookingUp
    return found
  }
  const write = (line: Buffer, _: string, done: () => void) => {
    logged.push(JSON.parse(String(line)))
    done()
  }
  const deps = {
    database: { lookUp } as unknown as Database,
    masterKeys: new MasterKeys(masterKey),
    metrics: new Metrics(),
    log: createLogger('info', new Writable({ write }))
  }
  keyring = new Keyring(deps, { ttlMs: TTL_MS, max: 1000 })
})
afterEach(() => {
  keyring.close()
  vi.restoreAllMocks()
})

type Row = Awaited<ReturnType<typeof storedRow>>

function isPlace(row: DataKeyPlace, { conversationId, dataKeyId }: DataKeyPlace): boolean {
  return row.conversationId === conversationId && row.dataKeyId === dataKeyId
}

async function storedRow(conversationId: string, keyId: string) {
  const context = { keyId, fingerprint: fingerprint(pair.publicKey) }
  const [wrapping] = await masterKey.wrap([{ privateKey: pair.privateKey, context }])
  const { id: dataKeyId, wrappedKey } = newDataKey(pair.publicKey, new Metrics())
  return {
    conversationId,
    dataKeyId,
    wrappedKey: wrappedKey as Buffer | null,
    version: 1,
    state: 'ACTIVE',
    keyId,
    publicKey: pair.publicKey,
    wrappedPrivateKey: (wrapping?.wrapped ?? null) as Buffer | null,
    masterKey: masterKey.uri as string | null
  }
}

/** A data key of a conversation, stored. */
async function stored(conversationId: string = randomUUID(), keyId: string = randomUUID()): Promise<Row> {
  const row = await storedRow(conversationId, keyId)
  rows.push(row)
  return row
}

async function stateOf(place: DataKeyPlace) {
  const [key] = await keyring.open([place])
  return key?.state === 'OPEN' ? 'OPEN' : key
}

describe('a data key that cannot be opened', () => {
  it.each<[string, Partial<Row>, unknown]>([
    ['is destroyed', { state: 'DESTROYED' }, { state: 'DESTROYED' }],
    ['has no bytes any more', { wrappedKey: null }, { state: 'DESTROYED' }],
    ['waits for its destruction', { state: 'PENDING_DESTRUCTION' }, UNAVAILABLE],
    ['has no private key above it', { wrappedPrivateKey: null }, UNAVAILABLE],
    ['has no master key above it', { masterKey: null }, UNAVAILABLE]
  ])('since it %s asks no master key', async (_, changes, state) => {
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    const row = Object.assign(await stored(), changes)
    expect(await stateOf(row)).toEqual(state)
    expect(unwrap).not.toHaveBeenCalled()
  })

  it.each([
    ['UNREACHABLE', OUT_OF_REACH],
    ['REFUSED', OUT_OF_REACH],
    ['WRONG_KEY', UNAVAILABLE],
    ['DAMAGED', UNAVAILABLE]
  ] as const)('since its master key says %s is looked at again the next time', async (kind, state) => {
    const row = await stored()
    const failing = vi.spyOn(masterKey, 'unwrap').mockResolvedValue([new MasterKeyError(kind, 'local:a', 'as told')])
    expect(await stateOf(row)).toEqual(state)
    failing.mockRestore()
    expect(await stateOf(row)).toBe('OPEN')
    expect(lookUps).toHaveLength(2)
    expect(logged).toMatchObject([
      {
        conversationId: row.conversationId,
        dataKeyId: row.dataKeyId,
        keyVersion: 1,
        masterKey: 'local:a',
        kind,
        reason: 'master key local:a: as told',
        msg: 'data key cannot be opened'
      }
    ])
  })

  it('since what is stored fails authentication says so in the log', async () => {
    const row = await stored()
    row.wrappedKey?.fill(0, 20)
    expect(await stateOf(row)).toEqual(UNAVAILABLE)
    expect(logged).toMatchObject([{ kind: 'DAMAGED', reason: 'stored keys fail authentication' }])
  })

  it('since what was unwrapped is no key, or nothing was, is damaged', async () => {
    const row = await stored()
    vi.spyOn(masterKey, 'unwrap')
      .mockResolvedValueOnce([Buffer.alloc(50)])
      .mockResolvedValueOnce([])
    expect(await stateOf(row)).toEqual(UNAVAILABLE)
    expect(await stateOf(row)).toEqual(UNAVAILABLE)
    expect(await stateOf(row)).toBe('OPEN')
  })

  it('since the database cannot be asked fails, and is looked at again the next time', async () => {
    const row = await stored()
    lookingUp = Promise.reject(new Error('away'))
    expect((await rejectionOf(keyring.open([row]))).message).toBe('away')
    lookingUp = Promise.resolve()
    expect(await stateOf(row)).toBe('OPEN')
  })

  it('or is not there does not shadow one that is', async () => {
    const row = await stored()
    const absent = { conversationId: row.conversationId, dataKeyId: randomUUID() }
    expect(await keyring.open([absent, row])).toMatchObject([UNAVAILABLE, { state: 'OPEN' }])
  })
})

describe('an opened data key', () => {
  it('is not looked up again, nor is one that is asked for meanwhile', async () => {
    const row = await stored()
    const [one, other] = await Promise.all([keyring.open([row]), keyring.open([row, row])])
    expect([one, other]).toMatchObject([[{ state: 'OPEN' }], [{ state: 'OPEN' }, { state: 'OPEN' }]])
    await keyring.open([row])
    expect(lookUps).toEqual([[{ conversationId: row.conversationId, dataKeyId: row.dataKeyId }]])
  })

  it('leaves its private key for the next one under the same version', async () => {
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    const first = await stored()
    const second = await stored(first.conversationId, first.keyId)
    await keyring.open([first])
    expect(await stateOf(second)).toBe('OPEN')
    expect(unwrap).toHaveBeenCalledTimes(1)
    const third = Object.assign(await stored(first.conversationId, first.keyId), { version: 2 })
    expect(await stateOf(third)).toBe('OPEN')
    expect(unwrap).toHaveBeenCalledTimes(2)
  })

  it('shares its private key with another that is opened at the same time', async () => {
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    const first = await stored()
    const second = await stored(first.conversationId, first.keyId)
    expect(await keyring.open([first, second])).toMatchObject([{ state: 'OPEN' }, { state: 'OPEN' }])
    expect(unwrap.mock.calls.map(([keys]) => keys.length)).toEqual([1])
  })

  it('is the one that was remembered', async () => {
    const place = { conversationId: randomUUID(), dataKeyId: randomUUID() }
    const dataKey: DataKey = generateDataKey()
    keyring.remember(place.conversationId, place.dataKeyId, dataKey)
    expect(await keyring.open([place])).toEqual([{ state: 'OPEN', dataKey }])
    expect(lookUps).toEqual([])
  })
})

describe('what was opened of a conversation', () => {
  it('is forgotten, data keys and private keys, and that of others is not', async () => {
    const [mine, others] = [await stored(), await stored()]
    await keyring.open([mine, others])
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    keyring.forget(mine.conversationId)
    await keyring.open([mine, others])
    expect(lookUps.at(-1)).toEqual([{ conversationId: mine.conversationId, dataKeyId: mine.dataKeyId }])
    expect(unwrap).toHaveBeenCalledTimes(1)
  })

  it('is forgotten with everything else', async () => {
    const row = await stored()
    await keyring.open([row])
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    keyring.forgetAll()
    await keyring.open([row])
    expect(lookUps).toHaveLength(2)
    expect(unwrap).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['the conversation', (row: Row) => keyring.forget(row.conversationId)],
    ['everything', () => keyring.forgetAll()]
  ])('is not kept when %s was forgotten while it was looked up', async (_, forget) => {
    const row = await stored()
    const answering = Promise.withResolvers<void>()
    lookingUp = answering.promise
    const opening = keyring.open([row])
    forget(row)
    answering.resolve()
    expect(await opening).toMatchObject([{ state: 'OPEN' }])
    const unwrap = vi.spyOn(masterKey, 'unwrap')
    expect(await stateOf(row)).toBe('OPEN')
    expect(lookUps).toHaveLength(2)
    expect(unwrap).toHaveBeenCalledTimes(1)
  })

  it('is not taken away when an older opening of it fails late', async () => {
    const row = await stored()
    const answering = Promise.withResolvers<void>()
    lookingUp = answering.promise
    const failing = rejectionOf(keyring.open([row]))
    keyring.forget(row.conversationId)
    lookingUp = Promise.resolve()
    expect(await stateOf(row)).toBe('OPEN')
    answering.reject(new Error('away'))
    await failing
    expect(await stateOf(row)).toBe('OPEN')
    expect(lookUps).toHaveLength(2)
  })
})

describe('data keys for work on keys', () => {
  it('are those that could be opened, by id, each asked for once', async () => {
    const good = await stored()
    const gone = Object.assign(await stored(good.conversationId), { state: 'DESTROYED', version: 2 })
    const damaged = Object.assign(await stored(good.conversationId), { version: 3 })
    damaged.wrappedKey?.fill(0, 20)
    const ids = [gone.dataKeyId, good.dataKeyId, damaged.dataKeyId, good.dataKeyId]
    const opened = await keyring.openForWork(good.conversationId, ids)
    expect([...opened.keys()]).toEqual([good.dataKeyId])
    const [key] = await keyring.open([good])
    expect(key).toEqual({ state: 'OPEN', dataKey: opened.get(good.dataKeyId) })
    expect(lookUps[0]).toHaveLength(3)
  })

  it('stop the work where one of them is out of reach', async () => {
    const good = await stored()
    const away = Object.assign(await stored(good.conversationId), { masterKey: 'local:b', version: 2 })
    const failure = await rejectionOf(keyring.openForWork(good.conversationId, [good.dataKeyId, away.dataKeyId]))
    expect(failure).toBeInstanceOf(KeyUnavailable)
  })

  it('are none where none are asked for', async () => {
    expect(await keyring.openForWork(randomUUID(), [])).toEqual(new Map())
    expect(lookUps).toEqual([])
  })
})
