import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql'
import { isDatabaseOutage } from '../database/outage.js'
import { ConclaveError, type ErrorCode } from '../errors.js'
import type { Logger } from '../log.js'
import { faultOf } from '../reason-of.js'
import { withoutValues } from './without-values.js'

/** An outage seldom is over sooner. */
const OUTAGE_RETRY_MS = 1_000

/**
 * What a client sees of an error, over every transport alike: message, path, and a code of the closed list.
 *
 * @param hideSuggestions leaves the engine's "Did you mean …?" out
 */
export function formatError(log: Logger, error: unknown, hideSuggestions = false): GraphQLFormattedError {
  const located = error instanceof GraphQLError ? error : null
  const original = located?.originalError ?? error
  const place = {
    ...(located?.locations ? { locations: located.locations } : {}),
    ...(located?.path ? { path: located.path } : {})
  }
  if (original instanceof ConclaveError) {
    return { message: original.message, ...place, extensions: { ...original.details, code: original.code } }
  }
  if (located && isFaultOfRequest(located)) {
    // Production shows nothing of the schema that a client does not know already.
    const words = withoutValues(located.message)
    const message = hideSuggestions ? words.replace(/ ?Did you mean (.+?)\?$/, '') : words
    return { message, ...place, extensions: { code: 'BAD_USER_INPUT' } }
  }
  const reason = withoutResult(original)
  const { name, stack } = faultOf(reason)
  log.error({ name, reason, stack, path: located?.path }, 'internal error')
  const retry = isDatabaseOutage(original) ? { retryAfterMs: OUTAGE_RETRY_MS } : {}
  const extensions = { ...retry, code: 'INTERNAL' }
  return { message: 'Something went wrong on our side. Try again.', ...place, extensions }
}

/** The code that a client sees of an error. */
export function codeOf(error: unknown): ErrorCode {
  const located = error instanceof GraphQLError ? error : null
  const original = located?.originalError ?? error
  if (original instanceof ConclaveError) return original.code
  return located && isFaultOfRequest(located) ? 'BAD_USER_INPUT' : 'INTERNAL'
}

/** For the log. The engine's own words about a result that does not fit may hold the value: they stay out. */
function withoutResult(error: unknown): unknown {
  return error instanceof GraphQLError ? new Error('a result does not fit its type') : error
}

/**
 * Whether the GraphQL engine refused the request itself: it does not parse, does not fit the schema, or its
 * variables or arguments do not fit their types. Whatever else happens below a field is our own fault, a
 * result that does not fit its type included: its text may hold the value.
 */
function isFaultOfRequest(error: GraphQLError): boolean {
  const { path, originalError, extensions, nodes } = error
  // The compiling executor leaves them out.
  if (extensions?.code === 'INTERNAL_SERVER_ERROR') return false
  if (!path) return !originalError || originalError instanceof GraphQLError || nodes !== undefined
  // An argument or directive is refused at its value in the document; a result at its field, or nowhere.
  const refusal = originalError ?? error
  if (!(refusal instanceof GraphQLError)) return false
  return refusal.nodes?.every(({ kind }) => kind !== Kind.FIELD) ?? false
}
