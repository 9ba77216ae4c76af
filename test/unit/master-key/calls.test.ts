import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { askOnce } from '../../../src/master-key/ask-once.js'
import { allAtOnce } from '../../../src/master-key/aws-kms/all-at-once.js'
import { inBatches } from '../../../src/master-key/in-batches.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { MasterKey, Wrapping } from '../../../src/master-key/master-key.js'
import { isUnreachable, MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { opensItsKeys } from '../../../src/master-key/opens-its-keys.js'
import { proveRoundTrip } from '../../../src/master-key/prove-round-trip.js'
import { notConfigured } from '../../../src/master-key/provider.js'
import { vaultPath } from '../../../src/master-key/vault/vault-path.js'
import { rejectionOf } from '../failures.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }

describe('a question that is asked once', () => {
  it('is asked once for all who ask, also at the same time', async () => {
    let asked = 0
    const ask = askOnce(async () => ++asked)
    expect(await Promise.all([ask(), ask()])).toEqual([1, 1])
    expect(await ask()).toBe(1)
  })

  it('is asked again after a failure, which all who had asked get', async () => {
    let asked = 0
    const ask = askOnce(async () => {
      if (++asked === 1) throw new Error('not now')
      return asked
    })
    const failures = [rejectionOf(ask()), rejectionOf(ask())]
    for (const failure of failures) expect((await failure).message).toBe('not now')
    expect(await ask()).toBe(2)
  })

  it('keeps a newer answer when an older one fails late', async () => {
    const answers = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
    let asked = 0
    const ask = askOnce(async () => await (answers[asked++]?.promise ?? 0))
    const [first, second] = [rejectionOf(ask()), rejectionOf(ask())]
    answers[0]?.reject(new Error('not now'))
    await first
    const third = ask()
    answers[1]?.resolve(7)
    await second
    expect(await third).toBe(7)
    expect(await ask()).toBe(7)
    expect(asked).toBe(2)
  })
})

describe('items in batches', () => {
  it.each([
    [0, []],
    [1, [1]],
    [3, [3]],
    [4, [3, 1]],
    [6, [3, 3]],
    [7, [3, 3, 1]]
  ])('are, of %d, %j', async (count, sizes) => {
    const given: number[] = []
    const items = Array.from({ length: count }, (_, index) => index)
    const results = await inBatches(items, 3, async (batch) => {
      given.push(batch.length)
      return batch.map((item) => item * 2)
    })
    expect(given).toEqual(sizes)
    expect(results).toEqual(items.map((item) => item * 2))
  })
})

describe('items all at once', () => {
  it('have their results in order, and the options of whoever asked', async () => {
    const delays = [3, 1, 2]
    const results = await allAtOnce(delays, { background: true }, async (turns, { background, signal }) => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      expect(signal?.aborted).toBe(false)
      return [turns, background]
    })
    expect(results).toEqual([
      [3, true],
      [1, true],
      [2, true]
    ])
  })

  it('end with the first that fails', async () => {
    const signals: (AbortSignal | undefined)[] = []
    const failure = await rejectionOf(
      allAtOnce([1, 2], {}, async (item, { signal }) => {
        signals.push(signal)
        if (item === 1) throw new Error('no')
        await new Promise(() => {})
      })
    )
    expect(failure.message).toBe('no')
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true])
  })
})

describe('the proof that a master key works', () => {
  const key = new LocalMasterKey('a', masterSecretFrom(randomBytes(32)))
  const changed = (changes: Partial<MasterKey>): MasterKey =>
    ({ uri: key.uri, wrap: key.wrap.bind(key), unwrap: key.unwrap.bind(key), ...changes }) as MasterKey

  it('is given by one that gives back what it was given', async () => {
    await proveRoundTrip(key)
  })

  it.each<[string, Partial<MasterKey>, string]>([
    ['wraps nothing', { wrap: async () => [] }, 'unwraps something else than it wrapped'],
    ['unwraps nothing', { unwrap: async () => [] }, 'unwraps something else than it wrapped'],
    ['unwraps other bytes', { unwrap: async () => [Buffer.alloc(32)] }, 'unwraps something else than it wrapped'],
    [
      'does not unwrap',
      { unwrap: async () => [new MasterKeyError('WRONG_KEY', 'local:a', 'no')] },
      'does not unwrap what it wraps'
    ]
  ])('is not given by one that %s', async (_, changes, reason) => {
    expect(await rejectionOf(proveRoundTrip(changed(changes)))).toMatchObject({
      kind: 'REFUSED',
      message: `master key local:a: ${reason}`
    })
  })

  it('has other bytes and another context each time', async () => {
    const proved: string[] = []
    const wrap: MasterKey['wrap'] = async (keys): Promise<Wrapping[]> => {
      for (const { privateKey, context: own } of keys)
        proved.push(Buffer.from(privateKey).toString('hex'), own.keyId, Buffer.from(own.fingerprint).toString('hex'))
      return await key.wrap(keys)
    }
    await proveRoundTrip(changed({ wrap }))
    await proveRoundTrip(changed({ wrap }))
    expect(new Set(proved).size).toBe(6)
    expect(proved.map((text) => text.length)).toEqual([64, 36, 64, 64, 36, 64])
  })
})

describe('whether a master key opens what lies under its name', () => {
  const wrongKey = new MasterKeyError('WRONG_KEY', 'local:a', 'no')
  const damaged = new MasterKeyError('DAMAGED', 'local:a', 'no')
  const unwrapping = (unwrap: MasterKey['unwrap']) => ({ uri: 'local:a', unwrap }) as MasterKey
  const samples = [
    { wrapped: Buffer.of(1), context },
    { wrapped: Buffer.of(2), context }
  ]

  it.each<[(Buffer | MasterKeyError)[], boolean]>([
    [[wrongKey, wrongKey], false],
    [[wrongKey, damaged], true],
    [[damaged, damaged], true],
    [[wrongKey, Buffer.of(1)], true]
  ])('is told by %j: %j', async (results, opens) => {
    expect(
      await opensItsKeys(
        unwrapping(async () => results),
        samples
      )
    ).toBe(opens)
  })

  it('cannot be told without samples, nor while it is out of reach', async () => {
    const never = unwrapping(async () => [wrongKey, wrongKey])
    expect(await opensItsKeys(never, [])).toBe(true)
    const away = unwrapping(async () => {
      throw new MasterKeyError('UNREACHABLE', 'local:a', 'no')
    })
    expect(await opensItsKeys(away, samples)).toBe(true)
  })

  it('leaves zeros where private keys were, and passes a fault on', async () => {
    const opened = Buffer.from('a private key')
    await opensItsKeys(
      unwrapping(async () => [opened, wrongKey]),
      samples
    )
    expect(opened).toEqual(Buffer.alloc(opened.length))
    const faulty = unwrapping(async () => {
      throw new TypeError('a fault')
    })
    expect((await rejectionOf(opensItsKeys(faulty, samples))).message).toBe('a fault')
  })
})

describe('what goes wrong with a master key', () => {
  it('is out of reach for one kind alone', () => {
    expect(isUnreachable(new MasterKeyError('UNREACHABLE', 'a', 'b'))).toBe(true)
    for (const kind of ['REFUSED', 'WRONG_KEY', 'DAMAGED'] as const)
      expect(isUnreachable(new MasterKeyError(kind, 'a', 'b'))).toBe(false)
    expect(isUnreachable(Object.assign(new Error('no'), { kind: 'UNREACHABLE' }))).toBe(false)
    expect(isUnreachable(undefined)).toBe(false)
  })

  it('is called so, and keeps its cause', () => {
    const cause = new Error('why')
    expect(new MasterKeyError('DAMAGED', 'a', 'b', { cause })).toMatchObject({
      name: 'MasterKeyError',
      message: 'master key a: b',
      uri: 'a',
      cause
    })
  })

  it('is told of one that is not configured', async () => {
    const context = {} as Parameters<typeof notConfigured>[1]
    expect((await rejectionOf(notConfigured('a', context))).message).toBe('this kind of master key is not configured')
  })
})

describe('a path of Vault', () => {
  it('has each segment encoded, and its slashes left', () => {
    expect(vaultPath('team a/transit', 'keys', 'a?b#c%d')).toBe('team%20a/transit/keys/a%3Fb%23c%25d')
  })
})

describe('a local master key', () => {
  const key = new LocalMasterKey('a', masterSecretFrom(randomBytes(32)))

  it('calls an envelope that is too short, or of another provider, damaged; and any other wrong', async () => {
    const [wrapping] = await key.wrap([{ privateKey: Buffer.of(1), context }])
    const wrapped = wrapping?.wrapped as Buffer
    expect(wrapped).toHaveLength(63)
    const cases: [Buffer, string][] = [
      [wrapped.subarray(0, 62), 'DAMAGED'],
      [Buffer.concat([Buffer.of(1, 4), wrapped.subarray(2)]), 'DAMAGED'],
      [Buffer.concat([wrapped.subarray(0, 62), Buffer.of(0xff ^ (wrapped[62] ?? 0))]), 'WRONG_KEY'],
      [Buffer.concat([wrapped, Buffer.of(0)]), 'WRONG_KEY']
    ]
    for (const [damaged, kind] of cases) {
      const reason =
        kind === 'DAMAGED'
          ? 'not an envelope of a local master key'
          : 'authentication failed: another secret, another key, or damage'
      expect(await key.unwrap([{ wrapped: damaged, context }])).toMatchObject([
        { kind, message: `master key local:a: ${reason}` }
      ])
    }
    expect(await key.unwrap([{ wrapped, context }])).toEqual([Buffer.of(1)])
  })

  it('offers no rewrap, and is always there', async () => {
    expect(await key.rewrapFrom()).toBeNull()
    await key.check()
    await key.close()
  })
})
