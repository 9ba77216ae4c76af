import { constants, publicEncrypt } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { OaepBodies } from '../../../src/transfer/sql/oaep-bodies.js'
import { noteOverwritten } from '../../support/overwritten.js'
import { rsaRecipient } from '../../support/transfer/recipients.js'

const { publicPem, privatePem } = rsaRecipient()
const bodies = new OaepBodies(privatePem)

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a body of tables that OAEP has encrypted', () => {
  it('is not in memory any more where what follows it does not open, or it is no text', async () => {
    const overwritten = noteOverwritten()
    expect(await bodies.open(Buffer.concat([sealed('first'), Buffer.alloc(256)]).toString('base64'))).toBeNull()
    expect(await bodies.open(sealed(Buffer.of(0xff, 0xfe)).toString('base64'))).toBeNull()
    expect(overwritten.map(String)).toContain('first')
    expect(overwritten.filter((bytes) => bytes.equals(Buffer.of(0xff, 0xfe)))).toHaveLength(2)
  })

  it('is not in memory any more once it is a text: neither its blocks, nor the whole', async () => {
    const overwritten = noteOverwritten()
    const body = Buffer.concat([sealed('first, '), sealed('second')]).toString('base64')
    expect(await bodies.open(body)).toBe('first, second')
    const texts = overwritten.map(String)
    for (const text of ['first, ', 'second', 'first, second']) expect(texts).toContain(text)
  })
})

function sealed(plaintext: string | Buffer): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return publicEncrypt({ key: publicPem, padding, oaepHash: 'sha256' }, Buffer.from(plaintext))
}
