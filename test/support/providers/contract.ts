import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PrivateKeyContext } from '../../../src/crypto/associated-data.js'
import { generateRsaKeyPair, type ModulusBits } from '../../../src/crypto/key-transport.js'
import type { MasterKey, WrappedPrivateKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError, type MasterKeyErrorKind } from '../../../src/master-key/master-key-error.js'
import { rejectionOf } from '../../unit/failures.js'
import type { TcpProxy } from '../tcp-proxy.js'

/** A provider under test, its service running. */
export interface ProviderUnderTest {
  key: MasterKey
  /** Another master key of the same service. */
  other: MasterKey
  /** Null where there is no service that could be out of reach. */
  service: ServiceUnderTest | null
  stop(): Promise<void>
}

export interface ServiceUnderTest {
  /** On the way to it. */
  proxy: TcpProxy
  /** The same master key with credentials that the service does not take. */
  refused: MasterKey
  /** The same master key with good credentials, which `expire` ends while it is in use. */
  expiring: { key: MasterKey; expire(): Promise<void> }
}

/** For a call to the service of a provider under test. */
export const CALL_TIMEOUT_MS = 1000
/** Kinds for one key that cannot be unwrapped: AES-GCM tells neither from the other. */
const NOT_OURS: MasterKeyErrorKind[] = ['WRONG_KEY', 'DAMAGED']
/** Longer than any time limit of a provider under test, shorter than patience. */
const QUICKLY_MS = 5000

/** What every provider of master keys promises, whatever its service. */
export function itKeepsTheContract({ remote }: { remote: boolean }, start: () => Promise<ProviderUnderTest>): void {
  let provider: ProviderUnderTest
  let key: MasterKey
  beforeAll(async () => {
    provider = await start()
    key = provider.key
  })
  afterAll(async () => await provider?.stop())

  describe('refuses', () => {
    it('a private key moved to another key version', async () => {
      const { wrapped, context } = await wrapOne(key, randomBytes(1200))
      const moved = [
        { ...context, keyId: randomUUID() },
        { ...context, fingerprint: randomBytes(32) }
      ]
      for (const elsewhere of moved) await expectNotOurs(key, { wrapped, context: elsewhere })
    })

    it('what another of its keys has wrapped', async () => {
      await expectNotOurs(key, await wrapOne(provider.other, randomBytes(1200)))
    })

    it('an envelope that is cut short, wherever it is cut', async () => {
      const { wrapped, context } = await wrapOne(key, randomBytes(1200))
      const lengths = [0, 1, 2, 3, 12, 30, 60, 90, 110, wrapped.length / 2, wrapped.length - 1].map(Math.floor)
      for (const length of lengths) await expectNotOurs(key, { wrapped: wrapped.subarray(0, length), context })
    })

    it('an envelope with one bit flipped, in each of its regions', async () => {
      const { wrapped, context } = await wrapOne(key, randomBytes(300))
      const step = Math.ceil(wrapped.length / 60)
      const places = [0, 1, 2, 3, wrapped.length - 2, wrapped.length - 1]
      for (let place = 4; place < wrapped.length - 2; place += step) places.push(place)
      const flipped = places.map((place) => ({ wrapped: withFlippedBit(wrapped, place), context }))
      const results = await key.unwrap(flipped)
      expect(results.map(kindOf).filter((kind) => !NOT_OURS.includes(kind as MasterKeyErrorKind))).toEqual([])
    })

    it('the envelopes of other providers, and what is none', async () => {
      const context = newContext()
      for (const suite of [0x01, 0x02, 0x03, 0x04, 0x05, 0x06]) {
        await expectNotOurs(key, { wrapped: Buffer.from([1, suite, ...randomBytes(200)]), context })
      }
      await expectNotOurs(key, { wrapped: Buffer.from('vault:v1:AAAA'), context })
    })

    it('one bad item in the middle of a batch, and opens the others', async () => {
      const keys = [randomBytes(1200), randomBytes(1200), randomBytes(1200)]
      const wrapped = await wrapAll(key, keys)
      const bad = { ...(wrapped[1] as WrappedPrivateKey), context: newContext() }
      const [first, middle, last] = await key.unwrap([
        wrapped[0] as WrappedPrivateKey,
        bad,
        wrapped[2] as WrappedPrivateKey
      ])
      expect(first).toEqual(keys[0])
      expect(NOT_OURS).toContain(kindOf(middle))
      expect(last).toEqual(keys[2])
    })
  })

  describe('wraps and unwraps', () => {
    it.each<ModulusBits>([2048, 3072, 4096])('an RSA key of %i bits', async (bits) => {
      const { publicKey, privateKey } = await generateRsaKeyPair(bits)
      const context = { keyId: randomUUID(), fingerprint: createHash('sha256').update(publicKey).digest() }
      const [wrapping] = await key.wrap([{ privateKey, context }])
      const wrapped = wrapping?.wrapped ?? Buffer.alloc(0)
      expect(wrapped[0]).toBe(1)
      expect(wrapped.includes(privateKey.subarray(100, 116))).toBe(false)
      expect(await key.unwrap([{ wrapped, context }])).toEqual([Buffer.from(privateKey)])
    })

    it('many at once, in order', async () => {
      const keys = Array.from({ length: 40 }, () => randomBytes(200))
      expect(await key.unwrap(await wrapAll(key, keys))).toEqual(keys)
    })

    it('none, without asking anybody', async () => {
      expect(await key.wrap([])).toEqual([])
      expect(await key.unwrap([])).toEqual([])
    })

    it('and says of itself that it works, and what its version is', async () => {
      await key.check()
      const [wrapping] = await key.wrap([{ privateKey: randomBytes(64), context: newContext() }])
      expect(wrapping?.version).toBe(await key.version())
    })
  })

  if (!remote) return

  describe('whose service', () => {
    it('cannot be reached is UNREACHABLE, and comes back by itself', async () => {
      await expectOutage(provider, (proxy) => proxy.cut())
    })

    it('is slow beyond its time limit is UNREACHABLE, and comes back by itself', async () => {
      await expectOutage(provider, (proxy) => proxy.slow(2 * CALL_TIMEOUT_MS))
    })

    it('takes requests and never answers is UNREACHABLE, and comes back by itself', async () => {
      await expectOutage(provider, (proxy) => proxy.silence())
    })

    it('ends connections before it answers is UNREACHABLE, and comes back by itself', async () => {
      await expectOutage(provider, (proxy) => proxy.hangUp())
    })

    it('refuses the credentials is REFUSED, in every call', async () => {
      const wrapped = await wrapOne(key, randomBytes(64))
      await expectFailures(serviceOf(provider).refused, wrapped, 'REFUSED')
    })

    it('ends the credentials in the middle of the work is REFUSED from then on', async () => {
      const { key: expiring, expire } = serviceOf(provider).expiring
      const wrapped = await wrapOne(expiring, randomBytes(64))
      await expiring.unwrap([wrapped])
      await expire()
      await expectFailures(expiring, wrapped, 'REFUSED')
    })
  })
}

function serviceOf({ service }: ProviderUnderTest): ServiceUnderTest {
  if (!service) throw new Error('a remote provider has a service')
  return service
}

async function expectOutage(provider: ProviderUnderTest, fail: (proxy: TcpProxy) => void): Promise<void> {
  const { key } = provider
  const wrapped = await wrapOne(key, randomBytes(64))
  const { proxy } = serviceOf(provider)
  fail(proxy)
  const since = performance.now()
  await expectFailures(key, wrapped, 'UNREACHABLE')
  expect(performance.now() - since).toBeLessThan(QUICKLY_MS)
  proxy.restore()
  const [unwrapped] = await key.unwrap([wrapped])
  expect(unwrapped).toBeInstanceOf(Buffer)
  await key.check()
}

async function expectFailures(key: MasterKey, wrapped: WrappedPrivateKey, kind: MasterKeyErrorKind): Promise<void> {
  const calls = [key.unwrap([wrapped]), key.wrap([{ privateKey: randomBytes(64), context: newContext() }]), key.check()]
  const errors = await Promise.all(calls.map(rejectionOf))
  expect(errors.map((error) => (error instanceof MasterKeyError ? error.kind : error))).toEqual([kind, kind, kind])
}

async function expectNotOurs(key: MasterKey, wrapped: WrappedPrivateKey): Promise<void> {
  const [result] = await key.unwrap([wrapped])
  expect(NOT_OURS).toContain(kindOf(result))
  expect(result).toMatchObject({ uri: key.uri })
}

function kindOf(result: Buffer | MasterKeyError | undefined): string {
  return result instanceof MasterKeyError ? result.kind : 'opened'
}

export function newContext(): PrivateKeyContext {
  return { keyId: randomUUID(), fingerprint: randomBytes(32) }
}

export async function wrapOne(key: MasterKey, privateKey: Buffer): Promise<WrappedPrivateKey & { wrapped: Buffer }> {
  const [wrapped] = await wrapAll(key, [privateKey])
  if (!wrapped) throw new Error('nothing was wrapped')
  return wrapped
}

async function wrapAll(key: MasterKey, privateKeys: Buffer[]): Promise<(WrappedPrivateKey & { wrapped: Buffer })[]> {
  const keys = privateKeys.map((privateKey) => ({ privateKey, context: newContext() }))
  const wrappings = await key.wrap(keys)
  return wrappings.map(({ wrapped }, index) => ({ wrapped, context: keys[index]?.context ?? newContext() }))
}

function withFlippedBit(bytes: Buffer, place: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[place] = (flipped[place] ?? 0) ^ 1
  return flipped
}
