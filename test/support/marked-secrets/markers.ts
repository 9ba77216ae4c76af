import { randomBytes } from 'node:crypto'
import { Sweep } from './sweep.js'

/** A text that occurs nowhere else, of letters and digits: it is the same in JSON, SQL and URLs. */
export function newMarker(what: string): string {
  return `mark${what}${randomBytes(12).toString('hex')}`
}

/** A secret as it could have been written down. */
export interface Marked {
  /** What it is, for the failure. */
  what: string
  forms: readonly string[]
}

/** A text: as it is, in hex, and in base64, in which it looks otherwise at each of three places in what was encoded. */
export function markedText(what: string, text: string): Marked {
  return { what, forms: formsOf(Buffer.from(text), [text]) }
}

/** Bytes that are written down in base64: of the text, and of the bytes themselves. */
export function markedBytes(what: string, base64: string): Marked {
  return { what, forms: [...markedText(what, base64).forms, ...formsOf(Buffer.from(base64, 'base64'), [])] }
}

/** Numbers of a key that are looked for where they are written out one by one. */
const NUMBERS = 12
/** As many letters of base64 as are looked for at a time: PEM breaks lines after 64, and one of three is whole. */
const PIECE = 24

/**
 * Bytes of a key that a program has made: raw, in hexadecimal digits, in base64 (of itself, or within a greater structure
 * such as PKCS #8, and in lines, as PEM has it), and number by number, as JSON and the console write buffers.
 */
export function markedKey(what: string, bytes: Buffer): Marked {
  const numbers = [...bytes.subarray(0, NUMBERS)]
  const digits = numbers.map((byte) => byte.toString(16).padStart(2, '0'))
  const base64 = formsOf(bytes, []).flatMap((form) =>
    [0, PIECE, 2 * PIECE].map((from) => form.slice(from, from + PIECE))
  )
  const forms = [
    bytes.toString('latin1'),
    bytes.toString('utf8'),
    ...base64,
    numbers.join(','),
    numbers.join(', '),
    numbers.map((byte, index) => `"${index}":${byte}`).join(','),
    ...[' ', ':', ', 0x'].flatMap((mark) => [digits.join(mark), digits.join(mark).toUpperCase()])
  ]
  return { what, forms: [...new Set(forms)].filter((form) => form.length >= 16) }
}

function formsOf(bytes: Buffer, others: string[]): string[] {
  const base64 = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // Of the first and the last letters the neighbours decide.
    return encoded.slice(Math.ceil((before * 4) / 3), -2)
  })
  const hex = bytes.toString('hex')
  const urlSafe = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  return [...new Set([...others, hex, hex.toUpperCase(), ...base64, ...urlSafe])]
}

/** Something that was written, by name. */
export type Written = Record<string, string>

/** A secret that stands somewhere, with what is around it. */
export interface Found {
  what: string
  where: string
  around: string
}

/** Each place in which a secret stands. */
export function findMarked(marked: readonly Marked[], written: Written): Found[] {
  const sweep = new Sweep(new Set(marked.flatMap(({ forms }) => forms)))
  const places = Object.entries(written).map(([where, text]) => ({ where, text, found: sweep.in(text) }))
  return marked.flatMap(({ what, forms }) =>
    places.flatMap(({ where, text, found }) => {
      const at = forms.map((form) => found.get(form)).find((place) => place !== undefined)
      return at === undefined ? [] : [{ what, where, around: text.slice(Math.max(0, at - 120), at + 60) }]
    })
  )
}
