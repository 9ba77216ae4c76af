import { describe, expect, it } from 'vitest'
import { decodeKmsEnvelope, encodeKmsEnvelope, homeOf } from '../../../../src/master-key/aws-kms/kms-envelope.js'

const keyArn = 'arn:aws:kms:eu-central-1:123456789012:key/ea440e7f-7205-4a0c-b7c8-82795739ee99'
const ciphertextBlob = Buffer.from('of the service')

describe('an envelope of AWS KMS', () => {
  it.each(['alias/conclave', '', `${keyArn}\n`, `x${keyArn}`, keyArn.replace('123456789012', '1')])(
    'is not made for %j, which is no ARN of a key',
    (name) => {
      expect(() => encodeKmsEnvelope({ keyArn: name, ciphertextBlob })).toThrow(RangeError)
    }
  )

  it('is not read when it is cut short, wherever it is cut', () => {
    const envelope = encodeKmsEnvelope({ keyArn, ciphertextBlob })
    for (let length = 0; length <= 4 + keyArn.length; length++) {
      expect(decodeKmsEnvelope(envelope.subarray(0, length))).toBeNull()
    }
  })

  it('is not read when it names no ARN, or is of another provider', () => {
    const envelope = encodeKmsEnvelope({ keyArn, ciphertextBlob })
    expect(decodeKmsEnvelope(Buffer.concat([Buffer.of(1, 4), envelope.subarray(2)]))).toBeNull()
    const renamed = Buffer.from(envelope)
    renamed.write('urn', 4)
    expect(decodeKmsEnvelope(renamed)).toBeNull()
  })

  it('has the length of the ARN, the ARN and the ciphertext behind its header', () => {
    const envelope = encodeKmsEnvelope({ keyArn, ciphertextBlob })
    expect(envelope.subarray(0, 4)).toEqual(Buffer.of(1, 5, 0, keyArn.length))
    expect(decodeKmsEnvelope(envelope)).toEqual({ keyArn, ciphertextBlob })
    expect(homeOf(keyArn)).toBe('arn:aws:kms:eu-central-1:123456789012:')
  })
})
