import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { ConclaveError } from '../errors.js'
import type { Logger } from '../log.js'

/** What a client sees of an error, over HTTP and WebSocket alike: message, path, and a code of the closed list. */
export function formatError(log: Logger, error: unknown): GraphQLFormattedError {
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
    return { message: located.message, ...place, extensions: { code: 'BAD_USER_INPUT' } }
  }
  const { name, message, stack } = original instanceof Error ? original : new Error('not an error')
  log.error({ name, reason: message, stack, path: located?.path }, 'internal error')
  return { message: 'Something went wrong on our side. Try again.', ...place, extensions: { code: 'INTERNAL' } }
}

/**
 * Whether the GraphQL engine refused the request itself: it does not parse, does not fit the schema, or its
 * variables or arguments do not fit their types. Whatever else happens below a field is our own fault, a
 * result that does not fit its type included: its text may hold the value.
 */
function isFaultOfRequest({ path, originalError, extensions, locations }: GraphQLError): boolean {
  if (extensions.code === 'INTERNAL_SERVER_ERROR') return false
  if (!path) return !originalError || originalError instanceof GraphQLError || locations !== undefined
  // An argument is refused with its place in the document, a result without one.
  return originalError === undefined || (originalError instanceof GraphQLError && originalError.nodes !== undefined)
}
