import type { StoredMessageQuery } from '../../../documents/generated.js'

type Envelope = NonNullable<NonNullable<StoredMessageQuery['storedMessage']>['envelope']>

/** A part of an envelope. */
interface Part {
  name: 'format' | 'suite' | 'nonce' | 'ciphertext' | 'tag'
  /** In hex. */
  bytes: string
  what: string
}

/** Every byte of it, in the order in which they are stored. */
export function partsOf({ format, suite, suiteName, nonce, ciphertext, tag }: Envelope): Part[] {
  return [
    { name: 'format', bytes: format, what: `format byte ${Number.parseInt(format, 16)}` },
    { name: 'suite', bytes: suite, what: `suite byte: ${suiteName}` },
    { name: 'nonce', bytes: nonce, what: `nonce, ${bytesIn(nonce)} bytes` },
    { name: 'ciphertext', bytes: ciphertext, what: `ciphertext, ${bytesIn(ciphertext)} bytes` },
    { name: 'tag', bytes: tag, what: `tag, ${bytesIn(tag)} bytes` }
  ]
}

export function bytesIn(hex: string): number {
  return hex.length / 2
}

/** `01 a4 …`, @param most bytes, of which the rest is left out */
export function spacedHex(hex: string, most = Number.POSITIVE_INFINITY): string {
  const shown = hex.slice(0, most * 2).match(/../g) ?? []
  return shown.join(' ') + (bytesIn(hex) > most ? ' …' : '')
}
