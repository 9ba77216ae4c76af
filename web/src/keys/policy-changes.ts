import type { KeyPolicyFieldsFragment, KeyPolicyInput } from '../../../documents/generated.js'

const FIELDS = ['rotateAfter', 'rotateAfterMessages', 'destroyAfter', 'rotateOnMemberRemoval'] as const

/**
 * Only what differs: a field that is sent is set for this conversation, and `destroyAfter` sets the end of every
 * deactivated version again, also of those whose destruction was cancelled.
 */
export function policyChanges(before: KeyPolicyFieldsFragment, draft: KeyPolicyFieldsFragment): KeyPolicyInput {
  return Object.fromEntries(FIELDS.filter((name) => draft[name] !== before[name]).map((name) => [name, draft[name]]))
}
