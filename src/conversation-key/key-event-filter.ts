import { BadUserInput } from '../errors.js'
import { isName } from '../identity/user-id.js'
import { KEY_ACTIONS } from './key-actions.js'

/** Which events are looked for: those that are as every part says which is not null. */
export interface KeyEventFilter {
  action: string | null
  /** User id, or who acts without one: the schedule, an operator. */
  actor: string | null
}

export const ALL_EVENTS: KeyEventFilter = { action: null, actor: null }

/** @throws BadUserInput naming the part: a misspelt action would look like one that never happened */
export function requireKeyEventFilter(field: string, { action, actor }: KeyEventFilter): KeyEventFilter {
  if (action !== null && !KEY_ACTIONS.some((known) => known === action))
    throw new BadUserInput(`${field}.action`, `There is no such action. Known are: ${KEY_ACTIONS.join(', ')}.`)
  if (actor !== null && !isName(actor))
    throw new BadUserInput(`${field}.actor`, 'Who acts is a user id, "scheduler", or "operator:" and a name.')
  return { action, actor }
}
