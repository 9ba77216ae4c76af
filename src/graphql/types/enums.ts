import { registerEnumType } from 'type-graphql'
import type { HistoryVisibility, KeyState, MemberRole, RotationReason } from '../../database/entities.js'
import type { MessageEvent } from '../../delivery/conversation-log.js'
import type { Message } from '../../message/message.js'
import type { MessageStatus } from '../../message/message-opener.js'

/** Names of an enum, checked to be exactly the members of the union that the rest of the code uses. */
export function names<Union extends string>(members: { [Name in Union]: Name }): { [Name in Union]: Name } {
  return members
}

export const MemberRoleEnum = names<MemberRole>({ OWNER: 'OWNER', MODERATOR: 'MODERATOR', MEMBER: 'MEMBER' })
registerEnumType(MemberRoleEnum, { name: 'MemberRole' })

export const HistoryVisibilityEnum = names<HistoryVisibility>({ FULL: 'FULL', SINCE_JOINED: 'SINCE_JOINED' })
registerEnumType(HistoryVisibilityEnum, {
  name: 'HistoryVisibility',
  valuesConfig: {
    FULL: { description: 'A new member reads everything since the beginning.' },
    SINCE_JOINED: { description: 'A new member reads only what was sent after joining.' }
  }
})

export const MessageKindEnum = names<Message['kind']>({ TEXT: 'TEXT', SYSTEM: 'SYSTEM' })
registerEnumType(MessageKindEnum, { name: 'MessageKind' })

export const MessageStatusEnum = names<MessageStatus>({
  READABLE: 'READABLE',
  DELETED: 'DELETED',
  KEY_DESTROYED: 'KEY_DESTROYED',
  UNREADABLE: 'UNREADABLE'
})
registerEnumType(MessageStatusEnum, {
  name: 'MessageStatus',
  valuesConfig: {
    DELETED: { description: 'Its sender or a moderator deleted it; the ciphertext is gone.' },
    KEY_DESTROYED: { description: 'The key that could open it was destroyed; gone for good, by design.' },
    UNREADABLE: { description: 'The stored bytes fail authentication, or the master key is out of reach.' }
  }
})

export const MessageEventTypeEnum = names<MessageEvent['type']>({ SENT: 'SENT', EDITED: 'EDITED', DELETED: 'DELETED' })
registerEnumType(MessageEventTypeEnum, {
  name: 'MessageEventType',
  description:
    "What happened since the cursor that was resumed from. Every event is the message's present state: treat it as an upsert by id. EDITED and DELETED may be of a message that the client has not been given before, and SENT of one that was edited meanwhile."
})

export const KeyStateEnum = names<KeyState>({
  PRE_ACTIVATION: 'PRE_ACTIVATION',
  ACTIVE: 'ACTIVE',
  DEACTIVATED: 'DEACTIVATED',
  COMPROMISED: 'COMPROMISED',
  PENDING_DESTRUCTION: 'PENDING_DESTRUCTION',
  DESTROYED: 'DESTROYED'
})
registerEnumType(KeyStateEnum, {
  name: 'KeyState',
  description: 'Key states of NIST SP 800-57 part 1, and pending destruction as key management services have it.',
  valuesConfig: {
    PRE_ACTIVATION: { description: 'Generated, not yet used.' },
    ACTIVE: { description: 'Encrypts and decrypts; exactly one per conversation.' },
    DEACTIVATED: { description: 'Decrypts only.' },
    COMPROMISED: { description: 'Decrypts only, and must be re-encrypted away from.' },
    PENDING_DESTRUCTION: { description: 'No longer opens anything; can be restored until destroysAt.' },
    DESTROYED: { description: 'Private key erased; what only it could open is unreadable for good.' }
  }
})

export const RotationReasonEnum = names<RotationReason>({
  CREATED: 'CREATED',
  SCHEDULED: 'SCHEDULED',
  MESSAGE_LIMIT: 'MESSAGE_LIMIT',
  REQUESTED: 'REQUESTED',
  MEMBER_REMOVED: 'MEMBER_REMOVED',
  COMPROMISED: 'COMPROMISED'
})
registerEnumType(RotationReasonEnum, { name: 'RotationReason' })
