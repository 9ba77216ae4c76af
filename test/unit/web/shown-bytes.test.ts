import { describe, expect, it } from 'vitest'
import { partsOf, spacedHex } from '../../../web/src/chat/shown-bytes.js'

const hex = (length: number) => Array.from({ length }, (_, at) => (at % 256).toString(16).padStart(2, '0')).join('')

describe('the bytes of an envelope', () => {
  it('are shown up to where they are cut, and say so', () => {
    expect(spacedHex(hex(300), 160)).toBe(`${spacedHex(hex(160))} …`)
    expect(spacedHex(hex(160), 160)).toBe(spacedHex(hex(160)))
  })

  it('are all shown to whoever asks, each in its part, from the format byte to the last of the tag', () => {
    const envelope = { format: '01', suite: '02', suiteName: 'A256GCM', nonce: hex(12), tag: 'fe'.repeat(16) }
    const parts = partsOf({ ...envelope, ciphertext: hex(5_000) })
    expect(parts.map(({ name }) => name)).toEqual(['format', 'suite', 'nonce', 'ciphertext', 'tag'])
    const shown = parts.map(({ bytes }) => spacedHex(bytes)).join(' ')
    expect(shown.replaceAll(' ', '')).toBe(`0102${hex(12)}${hex(5_000)}${'fe'.repeat(16)}`)
    expect(shown.split(' ').every((byte) => byte.length === 2)).toBe(true)
    expect(parts[3]?.what).toBe('ciphertext, 5000 bytes')
  })
})
