import { createCipheriv, createSecretKey, randomBytes, randomUUID, webcrypto } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type MessageContext, messageAssociatedData, titleAssociatedData } from '../../../src/crypto/associated-data.js'
import { decryptContent, encryptContent, openGcm } from '../../../src/crypto/content-encryption.js'
import { type DataKey, dataKeyFrom, generateDataKey, withSecretBytes } from '../../../src/crypto/keys.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError, flippedBits, truncations } from './tampering.js'

const key = generateDataKey()
const context: MessageContext = {
  conversationId: randomUUID(),
  messageId: randomUUID(),
  senderId: 'alice',
  dataKeyId: randomUUID(),
  revision: 0
}
const associatedData = messageAssociatedData(context)
const plaintext = Buffer.from('Meet me at the usual place.')

describe('decrypting content', () => {
  it('refuses an envelope with any single bit flipped', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    for (const [how, flipped] of flippedBits(envelope)) {
      expectDecryptionError(
        thrownBy(() => decryptContent(key, flipped, associatedData)),
        how
      )
    }
  })

  it('refuses an envelope cut off at any length', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    for (const [how, truncated] of truncations(envelope)) {
      expectDecryptionError(
        thrownBy(() => decryptContent(key, truncated, associatedData)),
        how
      )
    }
  })

  it('refuses an envelope with bytes added, in front or behind', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    const zero = Uint8Array.of(0)
    for (const longer of [Buffer.concat([envelope, zero]), Buffer.concat([zero, envelope])]) {
      expectDecryptionError(thrownBy(() => decryptContent(key, longer, associatedData)))
    }
  })

  it.each([4, 8, 12, 13, 14, 15])('refuses a valid tag of only %d bytes', (tagBytes) => {
    const envelope = sealByHand(key, plaintext, associatedData, tagBytes)
    expectDecryptionError(thrownBy(() => decryptContent(key, envelope, associatedData)))
  })

  it('refuses every format byte and suite byte but its own', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    for (const position of [0, 1]) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === envelope[position]) continue
        const relabelled = Buffer.from(envelope).fill(byte, position, position + 1)
        expectDecryptionError(thrownBy(() => decryptContent(key, relabelled, associatedData)))
      }
    }
  })

  it('refuses another data key', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    expectDecryptionError(thrownBy(() => decryptContent(generateDataKey(), envelope, associatedData)))
  })

  it.each<[string, Partial<MessageContext>]>([
    ['conversation', { conversationId: randomUUID() }],
    ['message', { messageId: randomUUID() }],
    ['sender', { senderId: 'bob' }],
    ['data key id', { dataKeyId: randomUUID() }],
    ['revision', { revision: 1 }]
  ])('refuses content moved to another %s', (_, moved) => {
    const envelope = encryptContent(key, plaintext, associatedData)
    const elsewhere = messageAssociatedData({ ...context, ...moved })
    expectDecryptionError(thrownBy(() => decryptContent(key, envelope, elsewhere)))
  })

  it('refuses to take no sender for an empty one, or the other way round', () => {
    const none = messageAssociatedData({ ...context, senderId: null })
    const empty = messageAssociatedData({ ...context, senderId: '' })
    expectDecryptionError(thrownBy(() => decryptContent(key, encryptContent(key, plaintext, none), empty)))
    expectDecryptionError(thrownBy(() => decryptContent(key, encryptContent(key, plaintext, empty), none)))
  })

  it('refuses a message in the place of a title', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    expectDecryptionError(thrownBy(() => decryptContent(key, envelope, titleAssociatedData(context))))
  })

  it('gives back plaintext of 0, 1 and 65536 bytes', () => {
    for (const bytes of [0, 1, 65_536]) {
      const original = randomBytes(bytes)
      const envelope = encryptContent(key, original, associatedData)
      expect(decryptContent(key, envelope, associatedData).equals(original), `${bytes} bytes`).toBe(true)
    }
  })

  it('gives a buffer of its own, which can be overwritten without harm to the envelope', () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    decryptContent(key, envelope, associatedData).fill(0)
    expect(decryptContent(key, envelope, associatedData)).toEqual(plaintext)
  })

  it('opens test case 16 of the GCM specification', () => {
    const published = dataKeyFrom(
      Buffer.from('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', 'hex')
    )
    const nonce = 'cafebabefacedbaddecaf888'
    const ciphertext =
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662'
    const tag = '76fc6ece0f4e1768cddf8853bb2d551b'
    const additional = Buffer.from('feedfacedeadbeeffeedfacedeadbeefabaddad2', 'hex')
    expect(openGcm(published, Buffer.from(nonce + ciphertext + tag, 'hex'), additional).toString('hex')).toBe(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39'
    )
  })
})

describe('encrypting content', () => {
  it('never gives the same nonce or ciphertext twice for the same text', () => {
    const envelopes = Array.from({ length: 100 }, () => encryptContent(key, plaintext, associatedData))
    const nonces = envelopes.map((envelope) => envelope.toString('hex', 2, 14))
    const ciphertexts = envelopes.map((envelope) => envelope.toString('hex', 14))
    expect(new Set(nonces).size).toBe(100)
    expect(new Set(ciphertexts).size).toBe(100)
  })

  it('adds 30 bytes: format, suite, nonce and tag', () => {
    expect(encryptContent(key, plaintext, associatedData)).toHaveLength(2 + 12 + plaintext.length + 16)
    expect(encryptContent(key, Buffer.alloc(0), associatedData)).toHaveLength(30)
  })

  it('is readable by another implementation that knows only the layout', async () => {
    const envelope = encryptContent(key, plaintext, associatedData)
    expect(envelope.toString('hex', 0, 2)).toBe('0101')
    const imported = await withSecretBytes(key, (bytes) =>
      webcrypto.subtle.importKey('raw', Uint8Array.from(bytes), 'AES-GCM', false, ['decrypt'])
    )
    const opened = await webcrypto.subtle.decrypt(
      { name: 'AES-GCM', iv: envelope.subarray(2, 14), additionalData: associatedData, tagLength: 128 },
      imported,
      envelope.subarray(14)
    )
    expect(Buffer.from(opened)).toEqual(plaintext)
  })
})

/** An envelope as `encryptContent` makes it, but for the length of its tag. */
function sealByHand(dataKey: DataKey, text: Uint8Array, additional: Uint8Array, tagBytes: number): Buffer {
  const nonce = randomBytes(12)
  const bytes = withSecretBytes(dataKey, (lent) => createSecretKey(lent))
  const cipher = createCipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes })
  cipher.setAAD(additional)
  return Buffer.concat([Uint8Array.of(1, 1), nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()])
}
