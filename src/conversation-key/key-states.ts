import type { KeyState } from '../database/entities.js'
import { Conflict } from '../errors.js'

/**
 * The states of a key version (NIST SP 800-57 part 1, section 7, and pending destruction as key
 * management services have it) and every move between them. The database holds the same table, in
 * `key_transitions`, and refuses any other move, whoever makes it.
 *
 * PRE_ACTIVATION is the state of the pairs in `pooled_keys`: taking one out activates it.
 */
export const KEY_TRANSITIONS: Record<KeyState, readonly KeyState[]> = {
  PRE_ACTIVATION: ['ACTIVE'],
  ACTIVE: ['DEACTIVATED', 'COMPROMISED'],
  DEACTIVATED: ['COMPROMISED', 'PENDING_DESTRUCTION'],
  COMPROMISED: ['PENDING_DESTRUCTION'],
  PENDING_DESTRUCTION: ['DEACTIVATED', 'COMPROMISED', 'DESTROYED'],
  DESTROYED: []
}

/** Why a version in this state cannot make the move, in words for whoever asked for it. */
const REFUSALS: Partial<Record<KeyState, string>> = {
  ACTIVE: 'The active key version cannot be destroyed. Rotate the key first.',
  PENDING_DESTRUCTION: 'The key version is already waiting for its destruction.',
  DESTROYED: 'The key version is destroyed; nothing can be done with it any more.',
  COMPROMISED: 'The key version is already marked as compromised.'
}

/** @throws Conflict when the table has no such move */
export function requireTransition(from: KeyState, to: KeyState): void {
  if (KEY_TRANSITIONS[from].includes(to)) return
  throw new Conflict(REFUSALS[from] ?? `A key version does not go from ${from} to ${to}.`)
}
