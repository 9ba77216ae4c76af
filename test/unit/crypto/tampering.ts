import { expect } from 'vitest'
import { DecryptionError } from '../../../src/crypto/errors.js'

/** Copies with one bit flipped each: all bits of all bytes, or one bit of every byte. */
export function* flippedBits(original: Uint8Array, per: 'bit' | 'byte' = 'bit'): Generator<[string, Buffer]> {
  for (let index = 0; index < original.length; index++) {
    for (const bit of per === 'bit' ? [0, 1, 2, 3, 4, 5, 6, 7] : [index % 8]) {
      const copy = Buffer.from(original)
      copy.writeUInt8(copy.readUInt8(index) ^ (1 << bit), index)
      yield [`bit ${bit} of byte ${index} flipped`, copy]
    }
  }
}

/** Beginnings of every length from 0 to one byte less than the whole. */
export function* truncations(original: Uint8Array): Generator<[string, Buffer]> {
  for (let length = 0; length < original.length; length++) {
    yield [`only the first ${length} bytes`, Buffer.from(original.subarray(0, length))]
  }
}

/** Holds an error to be the one decryption error, without a member or a cause that would tell failures apart. */
export function expectDecryptionError(error: Error, how = ''): void {
  expect(error, how).toBeInstanceOf(DecryptionError)
  expect(error.message, how).toBe('decryption failed')
  expect(error.cause, how).toBeUndefined()
  expect(Object.entries(error), how).toEqual([['name', 'DecryptionError']])
}
