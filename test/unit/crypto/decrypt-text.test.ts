import { describe, expect, it, vi } from 'vitest'
import { encryptContent } from '../../../src/crypto/content-encryption.js'
import { decryptText } from '../../../src/crypto/decrypt-text.js'
import { generateDataKey } from '../../../src/crypto/keys.js'
import { thrownBy } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

const key = generateDataKey()
const associatedData = Buffer.from('bound')

describe('an opened text', () => {
  it.each([
    ['a byte that begins nothing', 'ff'],
    ['a character that ends too soon', 'e282'],
    ['a lone surrogate', 'eda080'],
    ['a character in more bytes than it takes', 'c0af']
  ])('is refused with %s: whoever has encrypted it, it is no text', (_, hex) => {
    const sealed = encryptContent(key, Buffer.from(`61${hex}`, 'hex'), associatedData)
    expectDecryptionError(thrownBy(() => decryptText(key, sealed, associatedData)))
  })

  it('keeps a mark at its beginning, and no character at all', () => {
    for (const text of ['\ufeffmarked', '']) {
      expect(decryptText(key, encryptContent(key, Buffer.from(text), associatedData), associatedData)).toBe(text)
    }
  })

  it('leaves none of the bytes that it was read from', () => {
    const fill = vi.spyOn(Buffer.prototype, 'fill')
    const sealed = encryptContent(key, Buffer.from('a body'), associatedData)
    expect(decryptText(key, sealed, associatedData)).toBe('a body')
    expect(fill.mock.contexts).toEqual([Buffer.alloc(6)])
    fill.mockRestore()
  })
})
