import {
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode
} from 'graphql'
import { ConclaveError, Unauthenticated } from '../errors.js'
import type { Context } from './context.js'
import type { CostLimit } from './cost-limit.js'
import type { DocumentStore } from './document-store.js'
import { noteRefusal } from './note-answer.js'
import type { OperationSource } from './persisted-queries.js'

/** An operation as clients send it, over any transport. */
export interface OperationRequest extends OperationSource {
  operationName?: string | null | undefined
  variables?: Record<string, unknown> | null | undefined
}

/**
 * Finds, parses and checks an operation as Apollo does over HTTP, for the transports that do not pass through it.
 *
 * @returns what to execute, or the errors that answer the request
 */
export function prepareOperation(
  schema: GraphQLSchema,
  context: Context,
  request: OperationRequest
): ExecutionArgs | readonly GraphQLError[] {
  const prepared = prepare(schema, context, request)
  if (isRefusal(prepared)) noteRefusal(context, prepared)
  return prepared
}

function prepare(
  schema: GraphQLSchema,
  context: Context,
  request: OperationRequest
): ExecutionArgs | readonly GraphQLError[] {
  const { clock, persistedQueries, refusals } = context.services
  const expiresAt = context.viewer?.expiresAt
  // The timer may be late: no operation begins under a token that has run out.
  if (expiresAt && expiresAt <= clock.now()) return [expiredToken()]
  try {
    refusals.requireFew(context)
    const document = prepareDocument(context, schema, persistedQueries.textOf(request))
    if ('length' in document) return document
    const { operationName = null, variables = null } = request
    requireAffordable(context, { schema, document, operationName, variableValues: variables })
    persistedQueries.keep(request)
    const variableValues = declaredOf(getOperationAST(document, operationName), variables ?? {})
    return { schema, document, operationName, variableValues, contextValue: context }
  } catch (error) {
    if (error instanceof GraphQLError) return [error]
    if (error instanceof ConclaveError) return [new GraphQLError(error.message, { originalError: error })]
    throw error
  }
}

/** What {@link DocumentStore} finds, which counts as a refusal where it is one. */
export function prepareDocument(
  context: Context,
  schema: GraphQLSchema,
  text: string
): ReturnType<DocumentStore['prepare']> {
  const { config, documents, refusals } = context.services
  const prepared = documents.prepare(schema, config, text)
  if ('length' in prepared) refusals.note(context)
  return prepared
}

/** @throws what {@link CostLimit} does, which counts as a refusal */
export function requireAffordable(context: Context, operation: Parameters<CostLimit['check']>[0]): void {
  const { costLimit, refusals } = context.services
  try {
    costLimit.check(operation)
  } catch (error) {
    refusals.note(context)
    throw error
  }
}

/** A subscription keeps its variables for as long as it lives: what a client has sent beside them is not kept. */
function declaredOf(operation: OperationDefinitionNode | null | undefined, variables: Record<string, unknown>) {
  const names = operation?.variableDefinitions?.map(({ variable }) => variable.name.value) ?? []
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(variables, name)).map((name) => [name, variables[name]])
  )
}

export function isRefusal(prepared: ReturnType<typeof prepareOperation>): prepared is readonly GraphQLError[] {
  return Array.isArray(prepared)
}

/** A result with its errors as clients see them. One without `data` was not executed at all, and stays without. */
export function formatResult(
  { data, errors }: { data?: ExecutionResult['data']; errors?: readonly GraphQLError[] | undefined },
  format: (error: GraphQLError) => GraphQLFormattedError
): FormattedExecutionResult {
  return { ...(data === undefined ? {} : { data }), ...(errors ? { errors: errors.map(format) } : {}) }
}

/** What a client is told whose token ran out while its connection was open. */
export function expiredToken(): GraphQLError {
  const originalError = new Unauthenticated('The token has expired. Get a new one.')
  return new GraphQLError(originalError.message, { originalError })
}
