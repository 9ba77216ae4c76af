import { describe, expect, it } from 'vitest'
import { decodeEnvelope, encodeEnvelope, Suite } from '../../../src/crypto/envelope.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

const PAYLOAD = Buffer.from('payload')
const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte)

describe('an envelope', () => {
  it('is refused when it is shorter than its header', () => {
    for (const bytes of [[], [0x01], [0x02]]) {
      expectDecryptionError(thrownBy(() => decodeEnvelope(Suite.A256GCM, Uint8Array.from(bytes))))
    }
  })

  it('is refused with any format byte but 0x01', () => {
    for (const format of ALL_BYTES.filter((byte) => byte !== 0x01)) {
      const envelope = Buffer.concat([Uint8Array.of(format, 0x01), PAYLOAD])
      expectDecryptionError(
        thrownBy(() => decodeEnvelope(Suite.A256GCM, envelope)),
        `format ${format}`
      )
    }
  })

  it.each(Object.entries(Suite))('is refused as %s with the byte of any other suite', (_, expected) => {
    for (const suite of ALL_BYTES.filter((byte) => byte !== expected)) {
      const envelope = Buffer.concat([Uint8Array.of(0x01, suite), PAYLOAD])
      expectDecryptionError(
        thrownBy(() => decodeEnvelope(expected, envelope)),
        `suite ${suite}`
      )
    }
  })

  it.each([
    ['AES-256-GCM', Suite.A256GCM, '0101'],
    ['RSA-OAEP-256', Suite.RSA_OAEP_256, '0102'],
    ['HKDF-SHA256 with AES-256-GCM', Suite.HKDF_SHA256_A256GCM, '0103']
  ])('of %s begins with the format and its suite, and goes on with its parts', (_, suite, header) => {
    const envelope = encodeEnvelope(suite, Buffer.from('pay'), Buffer.from('load'))
    expect(envelope.toString('hex')).toBe(`${header}7061796c6f6164`)
    expect(decodeEnvelope(suite, envelope)).toEqual(PAYLOAD)
  })

  it('may be empty behind its header', () => {
    expect(decodeEnvelope(Suite.A256GCM, Uint8Array.of(0x01, 0x01))).toHaveLength(0)
  })

  it('is read from where it lies when it is a part of a larger buffer', () => {
    const around = Buffer.concat([Buffer.from('before'), encodeEnvelope(Suite.A256GCM, PAYLOAD), Buffer.from('after')])
    const part = new Uint8Array(around.buffer, around.byteOffset + 6, 2 + PAYLOAD.length)
    expect(decodeEnvelope(Suite.A256GCM, part).toString()).toBe('payload')
  })
})
