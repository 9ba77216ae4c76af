import type { KeyState, RotationReason } from '../../../documents/generated.js'

export const STATE_WORDS: Record<KeyState, string> = {
  PRE_ACTIVATION: 'Not in use yet',
  ACTIVE: 'Active',
  DEACTIVATED: 'Deactivated',
  COMPROMISED: 'Compromised',
  PENDING_DESTRUCTION: 'To be destroyed',
  DESTROYED: 'Destroyed'
}

export const REASON_WORDS: Record<RotationReason, string> = {
  CREATED: 'with the conversation',
  SCHEDULED: 'on schedule',
  REQUESTED: 'on request',
  MEMBER_REMOVED: 'a member was removed',
  MESSAGE_LIMIT: 'the message limit was reached',
  COMPROMISED: 'the one before was compromised'
}
