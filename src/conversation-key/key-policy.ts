import type { KeyPolicy, KeyPolicyOverrides } from '../database/entities.js'
import { addDuration, type Duration, parseDuration } from '../duration.js'
import { BadUserInput } from '../errors.js'

export type { KeyPolicy, KeyPolicyOverrides }

/** The fields as a client gives them: null for never, absent for no change. */
export interface KeyPolicyDraft {
  rotateAfter?: string | null | undefined
  rotateAfterMessages?: number | null | undefined
  destroyAfter?: string | null | undefined
  rotateOnMemberRemoval?: boolean | null | undefined
}

export function effectivePolicy(defaults: KeyPolicy, overrides: KeyPolicyOverrides): KeyPolicy {
  return { ...defaults, ...overrides }
}

/**
 * Adds a draft to what a conversation has set before.
 *
 * @throws BadUserInput naming the field below `field`, when a value is out of range or the policy as a
 * whole would destroy keys before it rotates them
 */
export function changePolicy(
  field: string,
  defaults: KeyPolicy,
  before: KeyPolicyOverrides,
  draft: KeyPolicyDraft
): KeyPolicyOverrides {
  const after: KeyPolicyOverrides = { ...before }
  if (draft.rotateAfter !== undefined) after.rotateAfter = durationOrNever(`${field}.rotateAfter`, draft.rotateAfter)
  if (draft.destroyAfter !== undefined)
    after.destroyAfter = durationOrNever(`${field}.destroyAfter`, draft.destroyAfter)
  if (draft.rotateAfterMessages !== undefined)
    after.rotateAfterMessages = countOrNever(field, draft.rotateAfterMessages)
  // There is no "never" for a yes or no: null takes the conversation's own choice away.
  if (draft.rotateOnMemberRemoval === null) delete after.rotateOnMemberRemoval
  else if (draft.rotateOnMemberRemoval !== undefined) after.rotateOnMemberRemoval = draft.rotateOnMemberRemoval
  // Only what was asked for can be refused: the rest may have come out of order by a change of the defaults.
  const touched = draft.destroyAfter !== undefined ? 'destroyAfter' : 'rotateAfter'
  if (draft[touched] !== undefined && !isInOrder(effectivePolicy(defaults, after))) {
    throw new BadUserInput(`${field}.${touched}`, OUT_OF_ORDER)
  }
  return after
}

function durationOrNever(field: string, text: string | null): Duration | null {
  if (text === null) return null
  try {
    return parseDuration(text)
  } catch {
    throw new BadUserInput(
      field,
      'Give an ISO 8601 duration of up to ten years, such as P30D or PT12H, or null for never.'
    )
  }
}

function countOrNever(field: string, count: number | null): number | null {
  if (count !== null && count < 1) {
    throw new BadUserInput(`${field}.rotateAfterMessages`, 'Give a number of messages of 1 or more, or null for never.')
  }
  return count
}

const OUT_OF_ORDER = 'Keys must be kept at least as long as they are used: destroyAfter is shorter than rotateAfter.'

/** Whether keys are kept at least as long as they are used: the other way round is taken for a mistake. */
export function isInOrder({ rotateAfter, destroyAfter }: Pick<KeyPolicy, 'rotateAfter' | 'destroyAfter'>): boolean {
  if (rotateAfter === null || destroyAfter === null) return true
  const epoch = new Date(0)
  return addDuration(epoch, destroyAfter) >= addDuration(epoch, rotateAfter)
}

/** For the audit trail. */
export function describePolicy(policy: KeyPolicy): string {
  return Object.entries(policy)
    .map(([name, value]) => `${name}=${value ?? 'never'}`)
    .join(' ')
}
