import { CombinedGraphQLErrors } from '@apollo/client/errors'

/** What ended a subscription or a request. */
export interface Failure {
  /** `extensions.code` of the server's answer, the code that closed the socket, or null for the network. */
  code: string | number | null
  message: string
  retryAfterMs: number | null
}

const FINAL = ['FORBIDDEN', 'NOT_FOUND', 'BAD_USER_INPUT', 'CONFLICT', 'KEY_DESTROYED', 'QUERY_TOO_COMPLEX']
/** HTTP status: a token that has run out, a request that took too long, too many of them. */
const PASSING = [401, 408, 429]

export function failureOf(error: unknown): Failure {
  if (CombinedGraphQLErrors.is(error)) {
    const [first] = error.errors
    const { code, retryAfterMs } = (first?.extensions ?? {}) as { code?: string; retryAfterMs?: number }
    return { code: code ?? null, message: first?.message ?? error.message, retryAfterMs: retryAfterMs ?? null }
  }
  const { message, statusCode } = error as { message: string; statusCode?: number }
  const [, closeCode] = /^Socket closed with event (\d+)/.exec(message) ?? []
  const code = statusCode ?? (closeCode ? Number(closeCode) : null)
  return { code, message: code === null ? 'The server cannot be reached.' : message, retryAfterMs: null }
}

const SIGNED_OUT = ['UNAUTHENTICATED', 401, 4403]

/** Whether only another token can help. */
export function isSignedOut({ code }: Failure): boolean {
  return SIGNED_OUT.includes(code ?? '')
}

/** Whether another try would end in the same way. Of what a proxy or the server refuses outside GraphQL as well. */
export function isRefusal({ code }: Failure): boolean {
  if (typeof code !== 'number') return FINAL.includes(code ?? '')
  return code >= 400 && code < 500 && !PASSING.includes(code)
}
