/** What a token can allow beyond what its user may do as a member. */
export const SCOPES = ['keys:read', 'keys:admin'] as const

export type KeyScope = (typeof SCOPES)[number]

/** What is wrong with the first of these scopes that does not exist; null where all do. */
export function scopeProblem(scopes: readonly string[]): string | null {
  const unknown = scopes.find((scope) => !SCOPES.some((known) => known === scope))
  return unknown === undefined ? null : `There is no scope ${unknown}. There are ${SCOPES.join(' and ')}.`
}
