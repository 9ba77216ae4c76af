import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AwsKmsMasterKey } from '../../../src/master-key/aws-kms/aws-kms-master-key.js'
import { decodeKmsEnvelope, encodeKmsEnvelope } from '../../../src/master-key/aws-kms/kms-envelope.js'
import { newContext, wrapOne } from '../../support/providers/contract.js'
import { type KmsKeyOptions, openKmsKey } from '../../support/providers/kms-key.js'
import { hasMoto, Moto } from '../../support/providers/moto.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { rejectionOf } from '../../unit/failures.js'

const privateKey = randomBytes(1200)

describe.skipIf(!hasMoto)('an AWS KMS key', () => {
  let moto: Moto
  let opened: AwsKmsMasterKey[]
  beforeAll(async () => {
    moto = await Moto.start()
  })
  afterAll(async () => await moto?.stop())
  beforeEach(() => {
    opened = []
    return async () => {
      for (const key of opened) await key.close()
    }
  })
  const open = (keyId: string, options: Partial<KmsKeyOptions> = {}) => {
    const key = openKmsKey({ keyId, endpoint: moto.url, ...options })
    opened.push(key)
    return key
  }

  it('that does not exist is REFUSED', async () => {
    const key = open('alias/nowhere')
    expect(await rejectionOf(key.check())).toMatchObject({ kind: 'REFUSED' })
    expect(await rejectionOf(key.wrap([{ privateKey, context: newContext() }]))).toMatchObject({ kind: 'REFUSED' })
  })

  it('never has a ciphertext decrypted by a key of another account or region', async () => {
    const key = open(await aliased('alias/home'))
    const { wrapped, context } = await wrapOne(key, privateKey)
    const { keyArn, ciphertextBlob } = decodeKmsEnvelope(wrapped) ?? { keyArn: '', ciphertextBlob: Buffer.alloc(0) }
    for (const elsewhere of [keyArn.replace('123456789012', '210987654321'), keyArn.replace('eu-central', 'us-east')]) {
      const moved = encodeKmsEnvelope({ keyArn: elsewhere, ciphertextBlob })
      expect(await key.unwrap([{ wrapped: moved, context }])).toMatchObject([{ kind: 'WRONG_KEY' }])
    }
  })

  it('opens under its alias what it has wrapped before the alias was moved, and wraps under the new key', async () => {
    const key = open(await aliased('alias/moving'))
    const before = await wrapOne(key, privateKey)
    const versionBefore = await key.version()
    const next = await moto.makeKey()
    await moto.moveAlias('alias/moving', next)
    expect(await key.unwrap([before])).toEqual([privateKey])
    expect(await key.version()).toBe(next)
    expect(versionBefore).not.toBe(next)
    expect((await key.wrap([{ privateKey, context: before.context }]))[0]?.version).toBe(next)
  })

  it('takes over from another key of its account without a plaintext, and leaves out what is damaged', async () => {
    const [from, to] = [open(await moto.makeKey()), open(await moto.makeKey())]
    const rewrap = await to.rewrapFrom(from)
    const [good, other] = [await wrapOne(from, privateKey), await wrapOne(from, privateKey)]
    const damaged = { wrapped: other.wrapped.subarray(0, -3), context: other.context }
    const moved = { wrapped: other.wrapped, context: newContext() }
    const [first, second, third] = (await rewrap?.([good, damaged, moved])) ?? []
    expect(first).toMatchObject({ version: await to.version() })
    expect(second).toMatchObject({ kind: 'DAMAGED' })
    expect(third).toMatchObject({ kind: 'DAMAGED' })
    const wrapped = first && 'wrapped' in first ? first.wrapped : Buffer.alloc(0)
    expect(await to.unwrap([{ wrapped, context: good.context }])).toEqual([privateKey])
  })

  it('sends no more requests in any second than it may, and lets requests go ahead of background work', async () => {
    const key = open(await moto.makeKey(), { requestsPerSecond: 20 })
    await key.version()
    const finished: string[] = []
    const since = performance.now()
    const wrap = async (name: string, background: boolean) => {
      await key.wrap([{ privateKey, context: newContext() }], { background })
      finished.push(name)
    }
    const work = Array.from({ length: 45 }, () => wrap('background', true))
    await Promise.all([...work, wrap('request', false)])
    // 47 requests: 20 in the first second, 20 in the second, the rest after two.
    expect(performance.now() - since).toBeGreaterThan(1900)
    expect(finished.indexOf('request')).toBeLessThan(40)
  })

  it('shows neither its credentials nor its endpoint in an error', async () => {
    const proxy = await TcpProxy.start(moto.port)
    proxy.cut()
    const endpoint = `http://127.0.0.1:${proxy.port}`
    const key = open('alias/any', { endpoint, credentials: { accessKeyId: 'AKIAHIDDEN', secretAccessKey: 'hidden' } })
    const error = await rejectionOf(key.check())
    expect(error).toMatchObject({ kind: 'UNREACHABLE' })
    expect(String(error)).not.toMatch(/hidden|127\.0\.0\.1/i)
    await proxy.stop()
  })

  async function aliased(alias: string): Promise<string> {
    await moto.makeKey(alias)
    return alias
  }
})
