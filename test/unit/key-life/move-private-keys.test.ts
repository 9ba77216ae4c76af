import { randomBytes, randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fingerprint, generateRsaKeyPair } from '../../../src/crypto/key-transport.js'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { movePrivateKeys, UntrueWrapping } from '../../../src/key-life/move-private-keys.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import type { MasterKey, WrappedPrivateKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { noteOverwritten } from '../../support/overwritten.js'

const from = new LocalMasterKey('a', masterSecretFrom(randomBytes(32)))
const wrongKey = new MasterKeyError('WRONG_KEY', 'local:b', 'no')
const { signal } = new AbortController()

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a private key that is moved through this process', () => {
  const privateKey = randomBytes(64)

  it.each<[string, (Buffer | MasterKeyError)[], number]>([
    ['is not given back', [wrongKey], 1],
    ['is given back as another', [randomBytes(64)], 1],
    ['is given back beside one that is not', [Buffer.from(privateKey), wrongKey], 3]
  ])('is not in memory any more where it %s', async (_, again, times) => {
    const to = master()
    const keys = await Promise.all(again.map(() => wrapped(privateKey)))
    vi.spyOn(to, 'unwrap').mockResolvedValue(again)
    const overwritten = noteOverwritten()
    await expect(movePrivateKeys(from, to, keys, signal)).rejects.toBeInstanceOf(UntrueWrapping)
    expect(timesIn(overwritten, privateKey)).toBe(times)
  })

  it('is not in memory any more once it was: neither as it was opened, nor as it was opened again', async () => {
    const keys = [await wrapped(privateKey)]
    const overwritten = noteOverwritten()
    expect(await movePrivateKeys(from, master(), keys, signal)).toHaveLength(1)
    expect(timesIn(overwritten, privateKey)).toBe(2)
  })
})

describe('a private key that a service has moved by itself', () => {
  it.each([
    ['is another', false],
    ['is the same', true]
  ])('is not in memory any more once it was found that its public half %s', async (_, isSame) => {
    const { privateKey, publicKey } = await generateRsaKeyPair(2048)
    const to = master()
    const key = await wrapped(privateKey, isSame ? fingerprint(publicKey) : randomBytes(32))
    const wrappings = await to.wrap([{ privateKey, context: key.context }])
    vi.spyOn(to, 'rewrapFrom').mockResolvedValue(async () => wrappings)
    const overwritten = noteOverwritten()
    const moved = movePrivateKeys(from, to, [key], signal)
    await (isSame ? moved : expect(moved).rejects.toBeInstanceOf(UntrueWrapping))
    expect(timesIn(overwritten, privateKey)).toBe(1)
  })
})

function master(): MasterKey {
  return new LocalMasterKey('b', masterSecretFrom(randomBytes(32)))
}

async function wrapped(privateKey: Buffer, of: Uint8Array = randomBytes(32)): Promise<WrappedPrivateKey> {
  const context = { keyId: randomUUID(), fingerprint: of }
  const [wrapping] = await from.wrap([{ privateKey, context }])
  return { wrapped: wrapping?.wrapped ?? Buffer.alloc(0), context }
}

function timesIn(overwritten: readonly Buffer[], bytes: Buffer): number {
  return overwritten.filter((other) => other.equals(bytes)).length
}
