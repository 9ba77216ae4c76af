/** Characters that are compared by their hash first; no form is shorter. */
const WIDTH = 16
const BASE = 0x01000193
/** What the first character of a window is worth in its hash. */
const FIRST = Array.from({ length: WIDTH - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1)
const FILTER_BITS = 22

/**
 * Looks for any number of texts in one pass over what is searched (Rabin and Karp's): of the keys that a program makes there
 * are a hundred thousand spellings.
 */
export class Sweep {
  readonly #byHash = new Map<number, string[]>()
  /** By the first bits of a hash, whether there may be a form of it: almost every place ends here. */
  readonly #filter = new Uint8Array(2 ** FILTER_BITS)

  constructor(forms: Iterable<string>) {
    for (const form of forms) {
      if (form.length < WIDTH) throw new RangeError(`too short to be looked for: ${form.length} characters`)
      const hash = hashOf(form.slice(0, WIDTH))
      this.#filter[placeOf(hash)] = 1
      this.#byHash.set(hash, [...(this.#byHash.get(hash) ?? []), form])
    }
  }

  /** @returns the forms that are there, each with its first place */
  in(text: string): Map<string, number> {
    const found = new Map<string, number>()
    let hash = hashOf(text.slice(0, WIDTH - 1))
    for (let end = WIDTH - 1; end < text.length; end++) {
      const start = end - WIDTH + 1
      hash = (Math.imul(hash, BASE) + text.charCodeAt(end)) | 0
      if (this.#filter[placeOf(hash)] === 1) {
        for (const form of this.#byHash.get(hash) ?? [])
          if (!found.has(form) && text.startsWith(form, start)) found.set(form, start)
      }
      hash = (hash - Math.imul(text.charCodeAt(start), FIRST)) | 0
    }
    return found
  }
}

function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0
  return hash
}

function placeOf(hash: number): number {
  return hash >>> (32 - FILTER_BITS)
}
