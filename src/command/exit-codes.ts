/** How a command ends, for scripts. docs/command.md has the same table. */
export const EXIT = {
  DONE: 0,
  /** It could not be done: what was printed says why, and what to do. */
  FAILED: 1,
  /** It was not given as it must be: an unknown command or option, or without a confirmation that it needs. */
  USAGE: 2,
  /** It has looked, and not all is well. */
  FAULTS_FOUND: 3,
  /** It was interrupted: what was done stays done. */
  INTERRUPTED: 130,
  /** Whoever read what it printed has gone, as `head` does: what SIGPIPE makes of other programs. */
  READER_GONE: 141
} as const

/** Ctrl-C or Ctrl-D where it has asked. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** A command that lacks something on its line, in a sentence that says what. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
