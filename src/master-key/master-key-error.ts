/** What can go wrong with a master key: a closed list. */
export type MasterKeyErrorKind =
  /** The service does not answer, or not in time, or asks for patience: again later. */
  | 'UNREACHABLE'
  /** Credentials or policy do not allow it, or the service has no such key, or one of the wrong type. */
  | 'REFUSED'
  /**
   * Authentic under another key or for another private key, as far as can be told. AES-GCM cannot tell that from a
   * flipped bit, so a provider that has nothing else to go by says WRONG_KEY for both.
   */
  | 'WRONG_KEY'
  /** Not in the form that this provider writes, or recognised by the service as broken. */
  | 'DAMAGED'

/** For logs and operators: a GraphQL client never learns the kind. Holds no bytes, tokens or addresses. */
export class MasterKeyError extends Error {
  override readonly name = 'MasterKeyError'

  /** @param reason what to do about it or where to look, in a few words and without anything secret */
  constructor(
    readonly kind: MasterKeyErrorKind,
    readonly uri: string,
    reason: string,
    options?: ErrorOptions
  ) {
    super(`master key ${uri}: ${reason}`, options)
  }
}

/** Whether an error says that a master key is out of reach now, and may be in reach later. */
export function isUnreachable(error: unknown): error is MasterKeyError {
  return error instanceof MasterKeyError && error.kind === 'UNREACHABLE'
}
