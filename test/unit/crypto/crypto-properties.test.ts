import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type MessageContext,
  messageAssociatedData,
  type PrivateKeyContext,
  privateKeyAssociatedData,
  type TitleContext,
  titleAssociatedData
} from '../../../src/crypto/associated-data.js'
import { decryptContent, encryptContent } from '../../../src/crypto/content-encryption.js'
import { decodeEnvelope, encodeEnvelope, Suite } from '../../../src/crypto/envelope.js'
import { DecryptionError } from '../../../src/crypto/errors.js'
import {
  fingerprintOfPrivateKey,
  generateRsaKeyPair,
  importPrivateKey,
  importPublicKey,
  unwrapDataKey,
  wrapDataKey
} from '../../../src/crypto/key-transport.js'
import { generateDataKey, masterSecretFrom, type PrivateKey, type PublicKey } from '../../../src/crypto/keys.js'
import { unwrapPrivateKey, wrapPrivateKey } from '../../../src/crypto/private-key-wrap.js'
import { bytes, check, checkAsync, damages } from '../../support/properties.js'
import { rejectionOf, thrownBy } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

const aSuite = fc.constantFrom(...Object.values(Suite))
const uuid = fc.uuid()
const revision = fc.nat(2 ** 32 - 1)
const senderId = fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null })
const messageContext: fc.Arbitrary<MessageContext> = fc.record({
  conversationId: uuid,
  messageId: uuid,
  senderId,
  dataKeyId: uuid,
  revision
})
const titleContext: fc.Arbitrary<TitleContext> = fc.record({ conversationId: uuid, dataKeyId: uuid, revision })
const privateKeyContext: fc.Arbitrary<PrivateKeyContext> = fc.record({
  keyId: uuid,
  fingerprint: bytes({ minLength: 32, maxLength: 32 })
})
const associatedData = fc.oneof(
  messageContext.map((context) => ({ context: { kind: 'message', ...context }, data: messageAssociatedData(context) })),
  titleContext.map((context) => ({ context: { kind: 'title', ...context }, data: titleAssociatedData(context) })),
  privateKeyContext.map((context) => ({
    context: { kind: 'private key', ...context },
    data: privateKeyAssociatedData(context)
  }))
)

describe('an envelope', () => {
  it('is refused by every suite, or is the one way to write what it holds', () => {
    check(
      fc.property(aSuite, bytes(), (suite, envelope) => {
        const payload = openedOrRefused(() => decodeEnvelope(suite, envelope))
        if (payload) expect(encodeEnvelope(suite, payload)).toEqual(envelope)
      })
    )
  })

  it('is read by its own suite and by no other', () => {
    check(
      fc.property(aSuite, aSuite, bytes(), (written, read, payload) => {
        const opened = openedOrRefused(() => decodeEnvelope(read, encodeEnvelope(written, payload)))
        expect(opened).toEqual(written === read ? payload : null)
      })
    )
  })
})

describe('associated data', () => {
  it('is the same for two contexts only when they are the same', () => {
    check(
      fc.property(associatedData, associatedData, (one, other) => {
        expect(one.data.equals(other.data)).toBe(JSON.stringify(one.context) === JSON.stringify(other.context))
      })
    )
  })

  it('tells senders apart, however alike they are', () => {
    check(
      fc.property(messageContext, senderId, senderId, (context, one, other) => {
        const [first, second] = [one, other].map((id) => messageAssociatedData({ ...context, senderId: id }))
        expect(first?.equals(second as Buffer)).toBe(one === other)
      })
    )
  })
})

describe('encrypted content', () => {
  const key = generateDataKey()

  it('comes back as it was, and never once it is damaged', () => {
    check(
      fc.property(bytes(), associatedData, damages, (plaintext, { data }, spoil) => {
        const envelope = encryptContent(key, plaintext, data)
        expect(decryptContent(key, envelope, data)).toEqual(plaintext)
        const spoiled = spoil(envelope)
        fc.pre(!spoiled.equals(envelope))
        expectDecryptionError(thrownBy(() => decryptContent(key, spoiled, data)))
      })
    )
  })

  it('never opens in another place than its own', () => {
    check(
      fc.property(bytes(), associatedData, associatedData, (plaintext, own, other) => {
        fc.pre(!own.data.equals(other.data))
        const envelope = encryptContent(key, plaintext, own.data)
        expectDecryptionError(thrownBy(() => decryptContent(key, envelope, other.data)))
      })
    )
  })

  it('never opens with its parts exchanged for those of another envelope', () => {
    check(
      fc.property(bytes({ minLength: 1 }), bytes({ minLength: 1 }), fc.nat(), (one, other, cut) => {
        const [first, second] = [one, other].map((text) => encryptContent(key, text, Buffer.alloc(0))) as [
          Buffer,
          Buffer
        ]
        const at = 3 + (cut % (Math.min(first.length, second.length) - 3))
        const spliced = Buffer.concat([first.subarray(0, at), second.subarray(at)])
        fc.pre(!spliced.equals(first) && !spliced.equals(second))
        expectDecryptionError(thrownBy(() => decryptContent(key, spliced, Buffer.alloc(0))))
      })
    )
  })

  it('is nothing that somebody without the key has written', () => {
    const header = fc.constantFrom(Buffer.of(1, 1), Buffer.alloc(0))
    check(
      fc.property(header, bytes(), associatedData, (head, rest, { data }) => {
        expectDecryptionError(thrownBy(() => decryptContent(key, Buffer.concat([head, rest]), data)))
      })
    )
  })
})

describe('a private key wrapped by a local secret', () => {
  const secret = masterSecretFrom(Buffer.alloc(32, 7))

  it('comes back as it was, and never damaged or for another key', () => {
    check(
      fc.property(bytes(), privateKeyContext, privateKeyContext, damages, (privateKey, own, other, spoil) => {
        const wrapped = wrapPrivateKey(secret, privateKey, own)
        expect(unwrapPrivateKey(secret, wrapped, own)).toEqual(privateKey)
        expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, wrapped, other)))
        const spoiled = spoil(wrapped)
        fc.pre(!spoiled.equals(wrapped))
        expectDecryptionError(thrownBy(() => unwrapPrivateKey(secret, spoiled, own)))
      })
    )
  })
})

describe('RSA keys and what they wrap', () => {
  let der: { publicKey: Buffer; privateKey: Buffer }
  let publicKey: PublicKey
  let privateKey: PrivateKey
  beforeAll(async () => {
    der = await generateRsaKeyPair(2048)
    publicKey = importPublicKey(der.publicKey)
    privateKey = importPrivateKey(Buffer.from(der.privateKey))
  })

  it('never give a data key once its wrapping is damaged', async () => {
    await checkAsync(
      fc.asyncProperty(damages, async (spoil) => {
        const wrapped = wrapDataKey(publicKey, generateDataKey())
        const spoiled = spoil(wrapped)
        fc.pre(!spoiled.equals(wrapped))
        expectDecryptionError(await rejectionOf(unwrapDataKey(privateKey, spoiled)))
      })
    )
  })

  it('are refused as private keys when they are cut off, or go on behind their end', () => {
    check(
      fc.property(damages, (spoil) => {
        const spoiled = spoil(der.privateKey)
        fc.pre(spoiled.length !== der.privateKey.length)
        expect(openedOrRefused(() => fingerprintOfPrivateKey(spoiled))).toBeNull()
      })
    )
  })

  it('are refused as public keys in one way only, and always when they have another length', () => {
    check(
      fc.property(damages, (spoil) => {
        const spoiled = spoil(der.publicKey)
        fc.pre(!spoiled.equals(der.publicKey))
        try {
          importPublicKey(spoiled)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
          return
        }
        expect(spoiled.length).toBe(der.publicKey.length)
      })
    )
  })

  it('are refused as private keys in one way only, and overwritten', () => {
    check(
      fc.property(damages, (spoil) => {
        const given = Buffer.from(spoil(der.privateKey))
        try {
          importPrivateKey(given)
        } catch (error) {
          expectDecryptionError(error as Error)
        }
        expect(given.every((byte) => byte === 0)).toBe(true)
      }),
      200
    )
  })
})

/** Null for what was refused; the test fails when it was refused in any other way than the documented one. */
function openedOrRefused<T>(open: () => T): T | null {
  try {
    return open()
  } catch (error) {
    expect(error).toBeInstanceOf(DecryptionError)
    return null
  }
}
