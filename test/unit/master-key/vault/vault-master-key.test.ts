import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { privateKeyAssociatedData } from '../../../../src/crypto/associated-data.js'
import type { MasterKeyError } from '../../../../src/master-key/master-key-error.js'
import type { VaultAnswer, VaultRequest } from '../../../../src/master-key/vault/vault-http.js'
import { VaultMasterKey } from '../../../../src/master-key/vault/vault-master-key.js'
import type { VaultSession } from '../../../../src/master-key/vault/vault-session.js'
import { rejectionOf } from '../../failures.js'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const privateKey = randomBytes(100)
const bound = privateKeyAssociatedData(context).toString('base64')
const CIPHERTEXT = 'vault:v3:AAAA'
const stored = { wrapped: Buffer.from(`\u0001\u0004${CIPHERTEXT}`), context }

interface Item {
  plaintext?: string
  ciphertext?: string
  error?: string
}

/** A Transit engine that keeps what it was asked, and answers items as it is told. */
class Transit {
  readonly asked: Omit<VaultRequest, 'token'>[] = []
  closed = false
  key: VaultAnswer = { status: 200, body: { data: { type: 'aes256-gcm96', latest_version: 3 } } }
  answer: (item: Record<string, string>, index: number) => Item = () => ({})
  status = 200

  async send(_: string, request: Omit<VaultRequest, 'token'>): Promise<VaultAnswer> {
    this.asked.push(request)
    if (request.method === 'GET') return this.key
    const { batch_input } = request.body as { batch_input: Record<string, string>[] }
    return { status: this.status, body: { data: { batch_results: batch_input.map(this.answer) } } }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  /** Paths that were asked for, in order. */
  get paths(): string[] {
    return this.asked.map(({ method, path }) => `${method} ${path}`)
  }

  get inputs(): Record<string, string>[] {
    return this.asked.flatMap(({ body }) => (body as { batch_input?: [] } | undefined)?.batch_input ?? [])
  }
}

function open(transit: Transit, mount = 'transit', name = 'conclave'): VaultMasterKey {
  return new VaultMasterKey(mount, name, transit as unknown as VaultSession)
}

describe('a Transit key', () => {
  it('is REFUSED when there is none, or none that authenticates, before anything is encrypted', async () => {
    const bad: [VaultAnswer, string][] = [
      [{ status: 404, body: null }, 'there is no such Transit key: make it, or mend MASTER_KEY'],
      [{ status: 403, body: null }, 'Vault answered 403: look for the mount, the key and the policy'],
      [{ status: 200, body: { data: {} } }, 'Vault answered 200: look for the mount, the key and the policy'],
      [
        { status: 200, body: { data: { type: 'rsa-2048', latest_version: 1 } } },
        "the Transit key's type rsa-2048 does not authenticate: use aes256-gcm96"
      ]
    ]
    for (const [answer, reason] of bad) {
      const transit = new Transit()
      transit.key = answer
      for (const call of [
        (key: VaultMasterKey) => key.wrap([{ privateKey, context }]),
        (key: VaultMasterKey) => key.unwrap([stored]),
        (key: VaultMasterKey) => key.version(),
        (key: VaultMasterKey) => key.check()
      ]) {
        expect(await rejectionOf(call(open(transit)))).toMatchObject({
          kind: 'REFUSED',
          message: `master key vault:transit/conclave: ${reason}`
        })
      }
      expect(new Set(transit.paths)).toEqual(new Set(['GET transit/keys/conclave']))
    }
  })

  it.each(['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])(
    'may be of type %s',
    async (type) => {
      const transit = new Transit()
      transit.key = { status: 200, body: { data: { type, latest_version: 12 } } }
      expect(await open(transit).version()).toBe('v12')
    }
  )

  it('is named by its mount and its name, each segment encoded', async () => {
    const transit = new Transit()
    const key = open(transit, 'team a/transit', 'conclave')
    await key.version()
    expect(key.uri).toBe('vault:team a/transit/conclave')
    expect(transit.paths).toEqual(['GET team%20a/transit/keys/conclave'])
  })

  it('closes its session', async () => {
    const transit = new Transit()
    await open(transit).close()
    expect(transit.closed).toBe(true)
  })

  it('is good when it gives back what it was given', async () => {
    const transit = new Transit()
    let kept = ''
    transit.answer = ({ plaintext, ciphertext }) => {
      if (ciphertext) return { plaintext: kept }
      kept = plaintext ?? ''
      return { ciphertext: CIPHERTEXT }
    }
    await open(transit).check()
    transit.answer = ({ ciphertext }) => (ciphertext ? { plaintext: 'AAAA' } : { ciphertext: CIPHERTEXT })
    expect(await rejectionOf(open(transit).check())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: unwraps something else than it wrapped'
    })
    transit.answer = ({ ciphertext }) => (ciphertext ? { error: 'no' } : { ciphertext: CIPHERTEXT })
    expect(await rejectionOf(open(transit).check())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: does not unwrap what it wraps'
    })
  })
})

describe('wrapping by Transit', () => {
  it('binds the context as associated data, and keeps the service’s own text and version', async () => {
    const transit = new Transit()
    transit.answer = () => ({ ciphertext: CIPHERTEXT })
    const { signal } = new AbortController()
    expect(await open(transit).wrap([{ privateKey, context }], { signal })).toEqual([
      { wrapped: stored.wrapped, version: 'v3' }
    ])
    expect(transit.paths).toEqual(['GET transit/keys/conclave', 'POST transit/encrypt/conclave'])
    expect(transit.asked[1]?.signal).toBe(signal)
    expect(transit.inputs).toEqual([{ plaintext: privateKey.toString('base64'), associated_data: bound }])
  })

  it('keeps a version of more than one digit', async () => {
    const transit = new Transit()
    transit.answer = () => ({ ciphertext: 'vault:v1234567890:AAAA' })
    expect(await open(transit).wrap([{ privateKey, context }])).toMatchObject([{ version: 'v1234567890' }])
  })

  it('binds it as the context of a derived key', async () => {
    const transit = new Transit()
    transit.key = { status: 200, body: { data: { type: 'aes256-gcm96', derived: true, latest_version: 1 } } }
    transit.answer = () => ({ ciphertext: CIPHERTEXT })
    await open(transit).wrap([{ privateKey, context }])
    expect(transit.inputs).toEqual([{ plaintext: privateKey.toString('base64'), context: bound }])
    expect(transit.asked[1]).not.toHaveProperty('signal')
  })

  it.each<Item>([
    { error: 'no' },
    {},
    { ciphertext: CIPHERTEXT, error: 'no' },
    { ciphertext: 'vault:v0:AAAA' },
    { ciphertext: 'vault:3:AAAA' },
    { ciphertext: 'AAAA' },
    { ciphertext: ` ${CIPHERTEXT}` },
    { ciphertext: `${CIPHERTEXT}\n` },
    { ciphertext: 'vault:v3:' },
    { ciphertext: 'vault:v3:AA===' },
    { ciphertext: 'vault:v12345678901:AAAA' }
  ])('is REFUSED as a whole when one item is %j', async (item) => {
    const transit = new Transit()
    transit.answer = (_, index) => (index === 0 ? { ciphertext: CIPHERTEXT } : item)
    const two = [
      { privateKey, context },
      { privateKey, context }
    ]
    expect(await rejectionOf(open(transit).wrap(two))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: Transit does not wrap a key'
    })
  })

  it('goes in requests of a hundred, in order, and asks only once what kind of key it is', async () => {
    const transit = new Transit()
    transit.answer = ({ plaintext }) => ({ ciphertext: `vault:v1:${plaintext}` })
    const keys = Array.from({ length: 201 }, (_, index) => ({ privateKey: Buffer.from([index, 1, 1]), context }))
    const wrapped = await open(transit).wrap(keys)
    expect(transit.paths).toEqual(['GET transit/keys/conclave', ...Array(3).fill('POST transit/encrypt/conclave')])
    expect(transit.asked.slice(1).map(({ body }) => (body as { batch_input: [] }).batch_input.length)).toEqual([
      100, 100, 1
    ])
    expect(wrapped.map(({ wrapped: envelope }) => envelope.toString('latin1', 2))).toEqual(
      keys.map(({ privateKey: bytes }) => `vault:v1:${bytes.toString('base64')}`)
    )
  })
})

describe('unwrapping by Transit', () => {
  it.each<[Item, string, string]>([
    [
      { error: 'ciphertext version is disallowed by policy (too old)' },
      'REFUSED',
      'min_decryption_version excludes the version that this key lies under'
    ],
    [
      { error: 'invalid ciphertext: version is too new' },
      'WRONG_KEY',
      'authentication failed: another Transit key, another key, or damage'
    ],
    [
      { error: 'cipher: message authentication failed' },
      'WRONG_KEY',
      'authentication failed: another Transit key, another key, or damage'
    ],
    [{ error: 'anything else' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{}, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: 'AAAA', error: 'anything else' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: '' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: 'A' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: 'AAAA=' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: ' AAAA' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: 'AAAA ' }, 'DAMAGED', 'not a ciphertext of Transit'],
    [{ plaintext: '=AAA' }, 'DAMAGED', 'not a ciphertext of Transit']
  ])('of an item %j is %s: %s', async (item, kind, reason) => {
    const transit = new Transit()
    transit.answer = (_, index) => (index === 0 ? item : { plaintext: 'AQID' })
    const [failed, good] = await open(transit).unwrap([stored, stored])
    expect(failed).toMatchObject({ kind, message: `master key vault:transit/conclave: ${reason}` })
    expect(good).toEqual(Buffer.of(1, 2, 3))
  })

  it.each(['AQ==', 'AQI=', 'AQID', 'AQIDBA==', 'AQIDBAU='])('gives the bytes of %s', async (plaintext) => {
    const transit = new Transit()
    transit.answer = () => ({ plaintext })
    expect(await open(transit).unwrap([stored])).toEqual([Buffer.from(plaintext, 'base64')])
    expect(transit.inputs).toEqual([{ ciphertext: CIPHERTEXT, associated_data: bound }])
    expect(transit.paths.at(-1)).toBe('POST transit/decrypt/conclave')
  })

  it.each(['', 'vault:v1:AB==', 'vault:v1:AAA', 'vault:v0:AAAA', 'Vault:v1:AAAA', 'vault:v1:AAAA\n', 'é'])(
    'does not ask for an envelope that holds %j',
    async (text) => {
      const transit = new Transit()
      const wrapped = Buffer.from(`\u0001\u0004${text}`, 'latin1')
      expect(await open(transit).unwrap([{ wrapped, context }])).toMatchObject([
        { kind: 'DAMAGED', message: 'master key vault:transit/conclave: not an envelope of Transit' }
      ])
      expect(transit.paths).toEqual(['GET transit/keys/conclave'])
    }
  )

  it('puts each result where its key was, around those that were not asked for', async () => {
    const transit = new Transit()
    transit.answer = ({ ciphertext }) => ({ plaintext: ciphertext?.slice(-4) ?? '' })
    const wrapped = ['AAAA', null, 'BBBB', null, 'CCCC'].map((text) => ({
      wrapped: text ? Buffer.from(`\u0001\u0004vault:v1:${text}`) : Buffer.alloc(3),
      context
    }))
    const results = await open(transit).unwrap(wrapped)
    expect(
      results.map((result) => (result instanceof Buffer ? result.toString('base64') : (result as MasterKeyError).kind))
    ).toEqual(['AAAA', 'DAMAGED', 'BBBB', 'DAMAGED', 'CCCC'])
  })

  it('takes the items of an answer whose status is of a client’s mistake, and no answer for another number', async () => {
    const transit = new Transit()
    transit.status = 400
    transit.answer = () => ({ plaintext: 'AQID' })
    expect(await open(transit).unwrap([stored])).toEqual([Buffer.of(1, 2, 3)])
    transit.send = async (_, { method }) =>
      method === 'GET' ? transit.key : { status: 200, body: { data: { batch_results: [{}, {}] } } }
    expect(await rejectionOf(open(transit).unwrap([stored]))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: Vault answered for another number of keys'
    })
    transit.send = async (_, { method }) => (method === 'GET' ? transit.key : { status: 418, body: null })
    expect(await rejectionOf(open(transit).unwrap([stored]))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: Vault answered 418: look for the mount, the key and the policy'
    })
  })
})

describe('a rewrap by Transit', () => {
  it('is not offered from another key, nor for one that is not derived', async () => {
    const transit = new Transit()
    expect(await open(transit).rewrapFrom(open(transit))).toBeNull()
    transit.key = { status: 200, body: { data: { type: 'aes256-gcm96', derived: true, latest_version: 4 } } }
    expect(await open(transit).rewrapFrom(open(transit, 'transit', 'other'))).toBeNull()
  })

  it('moves each key to the latest version, or says what is wrong with it', async () => {
    const transit = new Transit()
    transit.key = { status: 200, body: { data: { type: 'aes256-gcm96', derived: true, latest_version: 4 } } }
    transit.answer = (_, index) => (index === 0 ? { ciphertext: 'vault:v4:BBBB' } : { error: 'authentication failed' })
    const rewrap = await open(transit).rewrapFrom(open(transit))
    expect(await rewrap?.([stored, stored])).toMatchObject([
      { wrapped: Buffer.from('\u0001\u0004vault:v4:BBBB'), version: 'v4' },
      { kind: 'WRONG_KEY' }
    ])
    expect(transit.paths.at(-1)).toBe('POST transit/rewrap/conclave')
    expect(transit.inputs[0]).toEqual({ ciphertext: CIPHERTEXT, context: bound })
  })
})
