import { Interrupted, UsageError } from './exit-codes.js'

/** A server that could not start. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart'

  constructor(readonly reason: unknown) {
    super('Conclave cannot start')
  }
}

/** An import that could not be done to its end. */
export class ImportStopped extends Error {
  override readonly name = 'ImportStopped'
  /** Of the line at fault; null where it is none of them. */
  readonly line: number | null

  /** @param position number of the last line that is in */
  constructor(
    readonly reason: unknown,
    readonly position: number
  ) {
    super('The import has stopped')
    this.line = (reason as { line?: number | null } | null)?.line ?? null
  }

  /** For whoever has to give it again. */
  get outlook(): string {
    if (this.position === 0) return 'Nothing of it is in. Given again, it begins anew.'
    return `All up to line ${this.position} are in. Given again, it goes on behind that line.`
  }
}

/** What whoever has given the command is told. Only of what nobody has thought of is the place in the code a part. */
export async function wordsOf(error: unknown): Promise<string> {
  if (error instanceof UsageError || error instanceof Interrupted) return error.message
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
  if ((error as { code?: unknown } | null)?.code === 'ERR_MODULE_NOT_FOUND') {
    return 'A part of the program is missing. Run npm ci and npm run build in its folder.'
  }
  return faultText(error)
}

function listed(problems: readonly string[]): string {
  return problems.map((problem) => `\n  - ${problem}`).join('')
}
