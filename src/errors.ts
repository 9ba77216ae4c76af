import type { QueryLimits } from './query-limits.js'

/**
 * `extensions.code` of every error that a client can see: a closed list, the same over HTTP and
 * WebSocket.
 */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'RATE_LIMITED'
  | 'QUERY_TOO_COMPLEX'
  | 'KEY_DESTROYED'
  | 'KEY_UNAVAILABLE'
  | 'INTERNAL'

/**
 * An error whose message is meant for the client: it says what to do, and nothing internal. It has no stack, which nobody
 * is told, and which costs more than most refusals: whoever wraps it has it written out, with source maps.
 */
export abstract class ConclaveError extends Error {
  abstract readonly code: ErrorCode

  constructor(message: string) {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = stackTraceLimit
  }

  /** Further members of `extensions`. */
  get details(): Record<string, unknown> {
    return {}
  }
}

export class Unauthenticated extends ConclaveError {
  readonly code = 'UNAUTHENTICATED'

  constructor(message = 'Send a valid bearer token in the Authorization header.') {
    super(message)
  }
}

export class Forbidden extends ConclaveError {
  readonly code = 'FORBIDDEN'
}

/** Also for what the viewer may not know exists. */
export class NotFound extends ConclaveError {
  readonly code = 'NOT_FOUND'

  constructor(what: 'conversation' | 'message' | 'member' | 'operation' | 'export') {
    super(`There is no such ${what}, or you have no access to it.`)
  }
}

export class BadUserInput extends ConclaveError {
  readonly code = 'BAD_USER_INPUT'

  /** @param field the argument or input field at fault, in dotted form */
  constructor(
    readonly field: string,
    message: string
  ) {
    super(message)
  }

  override get details() {
    return { field: this.field }
  }
}

export class Conflict extends ConclaveError {
  readonly code = 'CONFLICT'
}

export class RateLimited extends ConclaveError {
  readonly code = 'RATE_LIMITED'

  /** @param retryAfterMs when it may be tried again */
  constructor(
    readonly retryAfterMs: number,
    message = `Too often. Try again in ${Math.ceil(retryAfterMs / 1000)} s.`
  ) {
    super(message)
  }

  override get details() {
    return { retryAfterMs: this.retryAfterMs }
  }
}

const COUNTED: Record<keyof QueryLimits | 'pageSize' | 'keys' | 'bytes', string> = {
  characters: 'characters',
  tokens: 'tokens',
  operations: 'operations',
  fields: 'fields, with its fragments written out',
  depth: 'levels of fields',
  rootFields: 'root fields',
  aliases: 'aliases',
  directives: 'directives',
  repeats: 'fields that repeat others',
  values: 'values in its variables, or more',
  cost: 'points of cost',
  pageSize: 'items in a page',
  keys: 'versions of one key in its answer, or more',
  bytes: 'bytes of messages in its answer, or more,'
}

/** Over one of the limits that are checked before anything is executed, or, of `keys` and `bytes`, while it is. */
export class QueryTooComplex extends ConclaveError {
  readonly code = 'QUERY_TOO_COMPLEX'

  /**
   * @param limit which one, and `max` its value
   * @param found infinite for fragments that contain themselves; of tokens and values the first one too many, where counting ends
   * @param field the argument at fault, where there is one
   */
  constructor(
    readonly limit: keyof QueryLimits | 'pageSize' | 'keys' | 'bytes',
    readonly max: number,
    readonly found: number,
    readonly field?: string
  ) {
    const many = Number.isFinite(found) ? `${found}` : 'endlessly many'
    super(`The query has ${many} ${COUNTED[limit]}; ${max} are allowed. Ask for less at a time.`)
  }

  override get details() {
    const { limit, max, found, field } = this
    return { limit, max, found: Number.isFinite(found) ? found : null, ...(field === undefined ? {} : { field }) }
  }
}

export class KeyDestroyed extends ConclaveError {
  readonly code = 'KEY_DESTROYED'

  constructor() {
    super('The key that could open this was destroyed; it cannot be recovered.')
  }
}

export class KeyUnavailable extends ConclaveError {
  readonly code = 'KEY_UNAVAILABLE'

  constructor() {
    super('The key that opens this is out of reach at present. Try again later.')
  }
}
