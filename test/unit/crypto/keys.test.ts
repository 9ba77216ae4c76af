import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  type ContentKey,
  contentKeyFrom,
  type DataKey,
  dataKeyFrom,
  generateDataKey,
  type MasterSecret,
  masterSecretFrom,
  withSecretBytes
} from '../../../src/crypto/keys.js'
import { thrownBy } from '../failures.js'

const ZEROS = Buffer.alloc(32)

describe.each([
  ['a data key', dataKeyFrom],
  ['the key of an export', contentKeyFrom],
  ['a master secret', masterSecretFrom]
])('%s taken over from bytes', (_, takeOver) => {
  it.each([0, 16, 24, 31, 33, 64])('is refused with %d bytes, which are overwritten all the same', (length) => {
    const bytes = randomBytes(length)
    const error = thrownBy(() => takeOver(bytes))
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toBe('a 256-bit key has 32 bytes')
    expect(bytes).toEqual(Buffer.alloc(length))
  })

  it('holds the bytes, and leaves zeros where they were', () => {
    const bytes = randomBytes(32)
    const original = Buffer.from(bytes)
    const key = takeOver(bytes)
    expect(copyOf(key)).toEqual(original)
    expect(bytes).toEqual(ZEROS)
  })

  it('overwrites its part of a larger buffer and no more', () => {
    const larger = Buffer.alloc(48, 0xff)
    takeOver(larger.subarray(8, 40))
    expect(larger).toEqual(Buffer.concat([Buffer.alloc(8, 0xff), ZEROS, Buffer.alloc(8, 0xff)]))
  })
})

describe('a generated data key', () => {
  it('has 256 bits, and is never the same twice', () => {
    const keys = Array.from({ length: 50 }, () => copyOf(generateDataKey()))
    expect(keys.map((bytes) => bytes.length)).toEqual(Array.from({ length: 50 }, () => 32))
    expect(new Set(keys.map((bytes) => bytes.toString('hex'))).size).toBe(50)
  })
})

describe('lending out secret bytes', () => {
  it('overwrites them when their use fails, and passes the failure on', () => {
    let lent: Buffer | undefined
    const failure = new Error('no use')
    const error = thrownBy(() =>
      withSecretBytes(generateDataKey(), (bytes) => {
        lent = bytes
        throw failure
      })
    )
    expect(error).toBe(failure)
    expect(lent).toEqual(ZEROS)
  })

  it('overwrites them after their use, and leaves the key as it was', () => {
    const key = generateDataKey()
    const before = copyOf(key)
    const lent = withSecretBytes(key, (bytes) => {
      expect(bytes).toEqual(before)
      return bytes
    })
    expect(lent).toEqual(ZEROS)
    expect(before).not.toEqual(ZEROS)
    expect(copyOf(key)).toEqual(before)
  })
})

function copyOf(key: DataKey | ContentKey | MasterSecret): Buffer {
  return withSecretBytes(key, (bytes) => Buffer.from(bytes))
}
