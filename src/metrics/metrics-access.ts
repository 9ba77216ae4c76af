import { createHash, timingSafeEqual } from 'node:crypto'

/** Who may read the metrics: with a token, whoever sends it. */
export class MetricsAccess {
  readonly #digest: Buffer | null

  constructor(token: string | null) {
    this.#digest = token === null ? null : digestOf(token)
  }

  /** @param authorization value of the header */
  allows(authorization: string | undefined): boolean {
    if (this.#digest === null) return true
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? ''
    // Of the digests, which are of one length: neither the length nor the beginning of the token shows in the time.
    return timingSafeEqual(digestOf(token), this.#digest)
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
