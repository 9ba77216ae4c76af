/** Bytes as lines of hexadecimal, for people to follow with a finger. */

/** Name and length; a length of 0 or less is what remains, without so many bytes at the end. */
export type Field = readonly [name: string, length: number]

const NAME_COLUMNS = 16
const LINE_BYTES = 32
/** What is longer, like a private key, is shown by its ends: the vectors have all of it. */
const WHOLE_BYTES = 320
const END_BYTES = 32

export class Bytes {
  readonly #label: string
  readonly #bytes: Uint8Array

  constructor(label: string, bytes: Uint8Array) {
    this.#label = label.padEnd(NAME_COLUMNS)
    this.#bytes = bytes
  }

  lines(): string[] {
    const blank = ' '.repeat(this.#label.length)
    return hexLines(this.#bytes).map((line, index) => `${index === 0 ? this.#label : blank} ${line}`)
  }
}

export function text(name: string, value: string | null): string {
  return `${name.padEnd(NAME_COLUMNS)} ${value === null ? 'null' : value}`
}

/** @throws Error when the fields are not all of the bytes */
export function layOut(bytes: Buffer, fields: readonly Field[]): string[] {
  let offset = 0
  const lines = fields.flatMap(([name, length]) => {
    const end = length > 0 ? offset + length : bytes.length + length
    const line = placed(offset, name, bytes.subarray(offset, end))
    offset = end
    return line
  })
  if (offset !== bytes.length) throw new Error('the fields of an example must be all of its bytes')
  return lines
}

/** Fields that are each preceded by their length in 4 bytes. */
export function lengthPrefixed(bytes: Buffer, names: readonly string[]): string[] {
  let offset = 0
  const lines = names.flatMap((name) => {
    const end = offset + 4 + bytes.readUInt32BE(offset)
    const line = placed(offset, name, bytes.subarray(offset, offset + 4), bytes.subarray(offset + 4, end))
    offset = end
    return line
  })
  if (offset !== bytes.length) throw new Error('the fields of an example must be all of its bytes')
  return lines
}

/** One such field of a text; or of null, which has a length of −1 and no bytes. */
export function numbered(name: string, value: string | null): string[] {
  const length = Buffer.alloc(4)
  length.writeInt32BE(value === null ? -1 : Buffer.byteLength(value))
  const label = `  ${name.padEnd(NAME_COLUMNS - 2)} ${length.toString('hex')} `
  return [label + (value === null ? '' : value)].map((line) => line.trimEnd())
}

function placed(offset: number, name: string, ...parts: Buffer[]): string[] {
  const [length, rest] = parts.length === 2 ? parts : [undefined, parts[0]]
  const head = `  ${String(offset).padStart(4)} ${String(rest?.length ?? 0).padStart(5)}  ${name.padEnd(NAME_COLUMNS)} `
  const prefix = length ? `${length.toString('hex')} ` : ''
  const blank = ' '.repeat(head.length + prefix.length)
  return hexLines(rest ?? Buffer.alloc(0)).map((line, index) => (index === 0 ? head + prefix : blank) + line)
}

function hexLines(bytes: Uint8Array): string[] {
  const hex = (from: number, to?: number) => Buffer.from(bytes.subarray(from, to)).toString('hex')
  if (bytes.length <= LINE_BYTES) return [hex(0)]
  if (bytes.length > WHOLE_BYTES) {
    const between = bytes.length - 2 * END_BYTES
    return [hex(0, END_BYTES), `… ${between} bytes …`, hex(bytes.length - END_BYTES)]
  }
  const starts = Array.from({ length: Math.ceil(bytes.length / LINE_BYTES) }, (_, line) => line * LINE_BYTES)
  return starts.map((start) => hex(start, start + LINE_BYTES))
}
