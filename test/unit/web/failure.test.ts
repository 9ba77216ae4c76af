import { CombinedGraphQLErrors, ServerError } from '@apollo/client/errors'
import { describe, expect, it } from 'vitest'
import { failureOf, isRefusal } from '../../../web/src/failure.js'

describe('a failure', () => {
  it('of GraphQL has the code of the server, and when to come again', () => {
    const failure = failureOf(refused('RATE_LIMITED', { retryAfterMs: 1200 }))
    expect(failure).toEqual({ code: 'RATE_LIMITED', message: 'No.', retryAfterMs: 1200 })
  })

  it('of HTTP has its status, of a socket what closed it, of the network neither', () => {
    expect(failureOf(answered(413)).code).toBe(413)
    expect(failureOf(new Error('Socket closed with event 4403 Forbidden')).code).toBe(4403)
    expect(failureOf(new TypeError('Failed to fetch'))).toEqual({
      code: null,
      message: 'The server cannot be reached.',
      retryAfterMs: null
    })
  })
})

describe('another try', () => {
  it.each([400, 413, 421])('is useless after status %i', (status) => {
    expect(isRefusal(failureOf(answered(status)))).toBe(true)
  })

  it.each([401, 408, 429, 500, 503])('may be answered after status %i', (status) => {
    expect(isRefusal(failureOf(answered(status)))).toBe(false)
  })

  it('is useless where GraphQL refuses, and not where something is missing at present', () => {
    expect(isRefusal(failureOf(refused('FORBIDDEN')))).toBe(true)
    expect(isRefusal(failureOf(refused('KEY_UNAVAILABLE')))).toBe(false)
    expect(isRefusal(failureOf(new TypeError('Failed to fetch')))).toBe(false)
    expect(isRefusal(failureOf(new Error('Socket closed with event 1006')))).toBe(false)
  })
})

function refused(code: string, extensions: Record<string, unknown> = {}): CombinedGraphQLErrors {
  return new CombinedGraphQLErrors({ errors: [{ message: 'No.', extensions: { code, ...extensions } }] })
}

function answered(status: number): ServerError {
  return new ServerError('refused', { response: new Response(null, { status }), bodyText: '' })
}
