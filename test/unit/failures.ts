import { expect } from 'vitest'
import { BadUserInput } from '../../src/errors.js'

/** What the action throws; the test fails when it throws nothing. */
export function thrownBy(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return error as Error
  }
  return expect.fail('the action should have been refused')
}

/** What the promise is rejected with; the test fails when it is fulfilled. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  const [outcome] = await Promise.allSettled([promise])
  if (outcome.status === 'fulfilled') return expect.fail('the promise should have been rejected')
  expect(outcome.reason).toBeInstanceOf(Error)
  return outcome.reason as Error
}

export function expectBadUserInput(error: Error, field: string, message: string): void {
  expect(error).toBeInstanceOf(BadUserInput)
  expect(error).toMatchObject({ code: 'BAD_USER_INPUT', field, details: { field }, message })
}
