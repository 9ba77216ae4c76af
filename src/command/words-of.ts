import { UsageError } from './exit-codes.js'

/** A server that could not start. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart'

  constructor(readonly reason: unknown) {
    super('Conclave cannot start')
  }
}

/** What whoever has given the command is told. Only of what nobody has thought of is the place in the code a part. */
export async function wordsOf(error: unknown): Promise<string> {
  if (error instanceof UsageError) return error.message
  // Loaded now: a command that goes well needs none of it.
  const [
    { ConfigError },
    { ConclaveError, KeyUnavailable },
    { StartError },
    { isDatabaseOutage },
    { faultText },
    { TransferError }
  ] = await Promise.all([
    import('../config.js'),
    import('../errors.js'),
    import('../start-error.js'),
    import('../database/outage.js'),
    import('../reason-of.js'),
    import('../transfer/transfer-error.js')
  ])
  if (error instanceof CannotStart) {
    const { reason } = error
    const words = reason instanceof ConfigError ? listed(reason.problems) : ` ${await wordsOf(reason)}`
    return `Conclave cannot start:${words}`
  }
  if (error instanceof ConfigError)
    return error.problems.length > 1 ? listed(error.problems).trimStart() : error.message
  if (error instanceof KeyUnavailable) {
    return 'A master key that this needs cannot be used now. conclave doctor says which, and why.'
  }
  if (error instanceof ConclaveError || error instanceof StartError) return error.message
  if (error instanceof TransferError)
    return error.line === null ? error.message : `Line ${error.line}: ${error.message}`
  if (isDatabaseOutage(error)) {
    return 'The database went away, or has no connection left. Look whether it runs, then give the command again.'
  }
  return faultText(error)
}

function listed(problems: readonly string[]): string {
  return problems.map((problem) => `\n  - ${problem}`).join('')
}
