import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { ConclaveError, type ErrorCode } from '../errors.js'
import type { Logger } from '../log.js'

/** What a client sees of an error, over HTTP and WebSocket alike: message, path, and a code of the closed list. */
export function formatError(log: Logger, error: unknown): GraphQLFormattedError {
  const original = originalOf(error)
  const located = error instanceof GraphQLError ? error : null
  const place = {
    ...(located?.locations ? { locations: located.locations } : {}),
    ...(located?.path ? { path: located.path } : {})
  }
  if (original instanceof ConclaveError) {
    return { message: original.message, ...place, extensions: { ...original.details, code: original.code } }
  }
  if (original instanceof GraphQLError)
    return { message: original.message, ...place, extensions: { code: codeOf(original) } }
  const { name, message, stack } = original instanceof Error ? original : new Error('not an error')
  log.error({ name, reason: message, stack, path: located?.path }, 'internal error')
  return { message: 'Something went wrong on our side. Try again.', ...place, extensions: { code: 'INTERNAL' } }
}

/** Errors of the GraphQL engine itself: the request does not parse, does not fit the schema, or is not one at all. */
function codeOf(error: GraphQLError): ErrorCode {
  return error.extensions.code === 'INTERNAL_SERVER_ERROR' ? 'INTERNAL' : 'BAD_USER_INPUT'
}

/** What a resolver or a stream threw, out of the GraphQLError that the engine put around it. */
function originalOf(error: unknown): unknown {
  if (!(error instanceof GraphQLError) || !error.originalError) return error
  const { originalError, path, locations } = error
  // With a location and no path the request itself is at fault: a variable that does not fit its type.
  const thrownByUs = originalError instanceof ConclaveError || path || !locations
  return thrownByUs ? originalError : error
}
