import { createSecretKey } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { decryptContent } from '../../../src/crypto/content-encryption.js'
import { encryptText } from '../../../src/crypto/encrypt-text.js'
import { type DataKey, generateDataKey } from '../../../src/crypto/keys.js'
import { noteOverwritten } from '../../support/overwritten.js'
import { thrownBy } from '../failures.js'

const associatedData = Buffer.from('bound')

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a text that is encrypted', () => {
  it('leaves none of the bytes that it was made into, also where it cannot be', () => {
    const tooShort = createSecretKey(Buffer.alloc(16)) as DataKey
    const overwritten = noteOverwritten()
    encryptText(generateDataKey(), 'a title', associatedData)
    thrownBy(() => encryptText(tooShort, 'another title', associatedData))
    const texts = overwritten.map(String)
    expect(texts).toContain('a title')
    expect(texts).toContain('another title')
  })

  it.each(['', 'x', 'Case 4711 / Müller 🙂', '\ufeffmarked'])('is %j in UTF-8', (text) => {
    const key = generateDataKey()
    const sealed = encryptText(key, text, associatedData)
    expect(decryptContent(key, sealed, associatedData).toString('utf8')).toBe(text)
  })
})
