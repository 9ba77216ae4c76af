import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql'
import { tracedRequest } from '../tracing/traced.js'
import type { Context } from './context.js'
import { codeOf } from './format-error.js'
import { operationLabel, UNKNOWN_OPERATION } from './operation-label.js'

/** Counts an operation that was executed, and what has failed in it. */
export function noteAnswer(args: ExecutionArgs, errors: readonly GraphQLError[] | undefined): void {
  note(args.contextValue as Context, operationLabel(args), errors)
}

/** Counts a request that was refused before there was an operation to execute. */
export function noteRefusal(context: Context, errors: readonly GraphQLError[]): void {
  note(context, UNKNOWN_OPERATION, errors)
}

/** Executes a query or mutation for the transports that do not pass through Apollo, and counts it. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const { services } = args.contextValue as Context
  const result = await tracedRequest(operationLabel(args), () => services.executor.execute(args))
  noteAnswer(args, result.errors)
  return result
}

function note(context: Context, operation: string, errors: readonly GraphQLError[] = []): void {
  const { services, arrival } = context
  const tookMs = performance.now() - arrival.startedAt
  services.metrics.operations.answered(operation, arrival.transport, tookMs, errors.map(codeOf))
}
