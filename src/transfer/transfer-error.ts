/** What is wrong: with a key, with the file as such, with one line of it, with its manifest, or with what is there already. */
export type TransferErrorCode = 'KEY' | 'FORMAT' | 'LINE' | 'MANIFEST' | 'CONFLICT'

/** A sentence for whoever has given the command, that says what to do. Never with a key or a body in it. */
export class TransferError extends Error {
  override readonly name = 'TransferError'

  /** @param line number of the line at fault, from 1; null where it is none of them */
  constructor(
    readonly code: TransferErrorCode,
    message: string,
    readonly line: number | null = null
  ) {
    super(message)
  }
}
