import { randomBytes } from 'node:crypto'

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

/** What was found where: a line for each place in which a secret stands, with what is around it. */
export function findMarked(marked: readonly Marked[], written: Written): string[] {
  return marked.flatMap(({ what, forms }) =>
    Object.entries(written).flatMap(([where, text]) => {
      const at = Math.max(...forms.map((form) => text.indexOf(form)))
      return at < 0 ? [] : [`${what} in ${where}: …${text.slice(Math.max(0, at - 120), at + 60)}…`]
    })
  )
}
