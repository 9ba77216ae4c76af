import { decodeEnvelope, encodeEnvelope, Suite } from '../../crypto/envelope.js'

export interface KmsCiphertext {
  /** Of the key that has encrypted it: an alias may name another one by now. */
  keyArn: string
  ciphertextBlob: Uint8Array
}

const ARN = /^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,64}$/
const LENGTH_BYTES = 2

export function isKeyArn(text: string): boolean {
  return ARN.test(text)
}

/** @returns `format ‖ suite ‖ length of the ARN (2, big-endian) ‖ ARN in ASCII ‖ CiphertextBlob` */
export function encodeKmsEnvelope({ keyArn, ciphertextBlob }: KmsCiphertext): Buffer {
  if (!isKeyArn(keyArn)) throw new RangeError('not the ARN of a KMS key')
  if (ciphertextBlob.length === 0) throw new RangeError('a ciphertext has bytes')
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt16BE(keyArn.length)
  return encodeEnvelope(Suite.AWS_KMS, length, Buffer.from(keyArn, 'ascii'), ciphertextBlob)
}

/** @returns null for what is not of this form */
export function decodeKmsEnvelope(wrapped: Uint8Array): KmsCiphertext | null {
  try {
    const payload = decodeEnvelope(Suite.AWS_KMS, wrapped)
    const end = LENGTH_BYTES + payload.readUInt16BE()
    const keyArn = payload.subarray(LENGTH_BYTES, end).toString('latin1')
    return isKeyArn(keyArn) && payload.length > end ? { keyArn, ciphertextBlob: payload.subarray(end) } : null
  } catch {
    return null
  }
}

/** What all keys of an account in a region share: `arn:aws:kms:eu-central-1:123456789012:`. */
export function homeOf(keyArn: string): string {
  return keyArn.slice(0, keyArn.lastIndexOf(':') + 1)
}
