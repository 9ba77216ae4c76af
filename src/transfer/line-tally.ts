import { createHash, type Hash } from 'node:crypto'
import type { Manifest, RecordCounts, RecordType } from './export-format.js'

/** Counts and hashes the lines of an export as they are written, or read. */
export class LineTally {
  readonly #hash: Hash = createHash('sha256')
  readonly #counts: RecordCounts = { conversation: 0, user: 0, message: 0, member: 0 }
  #lines = 0
  #unreadable = 0

  get lines(): number {
    return this.#lines
  }

  get messages(): number {
    return this.#counts.message
  }

  /** @param line with its line feed */
  add(line: string, { type, status }: { type: RecordType; status?: string }): void {
    this.#hash.update(line, 'utf8')
    this.#lines++
    this.#counts[type]++
    if (status === 'KEY_DESTROYED' || status === 'UNREADABLE') this.#unreadable++
  }

  result(): Pick<Manifest, 'lines' | 'counts' | 'unreadable' | 'sha256'> {
    const sha256 = this.#hash.copy().digest('base64url')
    return { lines: this.#lines, counts: { ...this.#counts }, unreadable: this.#unreadable, sha256 }
  }
}
