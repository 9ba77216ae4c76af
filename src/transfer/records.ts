import { z } from 'zod'
import type { HistoryVisibility, MemberRole } from '../database/entities.js'
import { isName, isUserId } from '../identity/user-id.js'
import type { MessageStatus } from '../message/message-opener.js'

/** The lines of an export, which are those that an import takes. */

export interface ConversationRecord {
  type: 'conversation'
  id: string
  title: string | null
  historyVisibility: HistoryVisibility
  createdAt: string
}

export interface UserRecord {
  type: 'user'
  id: string
  name: string
}

export interface MessageRecord {
  type: 'message'
  conversationId: string
  sequence: number
  id: string
  kind: 'TEXT' | 'SYSTEM'
  senderId: string | null
  clientMessageId: string | null
  status: MessageStatus
  body: string | null
  replyToId: string | null
  /** 0 as sent, one more with every edit. */
  revision: number
  createdAt: string
  editedAt: string | null
  deletedAt: string | null
}

export interface MemberRecord {
  type: 'member'
  conversationId: string
  userId: string
  role: MemberRole
  joinedAt: string
  visibleAfter: number
  lastReadSequence: number
}

export type ExportRecord = ConversationRecord | UserRecord | MessageRecord | MemberRecord

/** UUID, or whatever else the source has for one: import-ids.ts makes a UUID of it. */
const reference = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text.isWellFormed(), 'must be well-formed Unicode')
const userId = z.string().refine(isUserId, 'must be 1 to 255 bytes without control characters, and no reserved name')
const instant = z.iso
  .datetime({ offset: true, abort: true, error: 'must be an instant of RFC 3339, with its offset' })
  .refine(isOfFourDigits, 'must be in the years 0001 to 9999 of UTC')
const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)

/** As a client gives one: null for never, left out for what the deployment has. Limits: key-policy.ts. */
const keyPolicy = z.strictObject({
  rotateAfter: z.string().nullish(),
  rotateAfterMessages: count.nullish(),
  destroyAfter: z.string().nullish(),
  rotateOnMemberRemoval: z.boolean().nullish()
})

const conversation = z.strictObject({
  type: z.literal('conversation'),
  id: reference,
  title: z.string().nullish(),
  historyVisibility: z.enum(['FULL', 'SINCE_JOINED']).default('FULL'),
  createdAt: instant.optional(),
  keyPolicy: keyPolicy.nullish()
})

const user = z.strictObject({
  type: z.literal('user'),
  id: userId,
  name: z.string().refine(isName, 'must be 1 to 255 bytes without control characters')
})

const message = z.strictObject({
  type: z.literal('message'),
  conversationId: reference,
  sequence: count.min(1).optional(),
  id: reference.optional(),
  kind: z.enum(['TEXT', 'SYSTEM']).default('TEXT'),
  senderId: userId.nullish(),
  clientMessageId: z.string().nullish(),
  status: z.enum(['READABLE', 'DELETED', 'KEY_DESTROYED', 'UNREADABLE']).optional(),
  body: z.string().nullish(),
  replyToId: reference.nullish(),
  revision: count.optional(),
  createdAt: instant,
  editedAt: instant.nullish(),
  deletedAt: instant.nullish()
})

const member = z.strictObject({
  type: z.literal('member'),
  conversationId: reference,
  userId,
  role: z.enum(['OWNER', 'MODERATOR', 'MEMBER']).default('MEMBER'),
  joinedAt: instant.optional(),
  visibleAfter: count.default(0),
  lastReadSequence: count.default(0)
})

const importRecord = z.discriminatedUnion('type', [conversation, user, message, member])

/** A line that was checked by itself, and not yet against others. */
export type ImportRecord = z.infer<typeof importRecord>
export type ImportedMessage = Extract<ImportRecord, { type: 'message' }>
export type ImportedMember = Extract<ImportRecord, { type: 'member' }>
export type ImportedConversation = Extract<ImportRecord, { type: 'conversation' }>

/** @returns the record, or in words what is wrong with it: never a value of its own. A member that is not known is named */
export function checkRecord(value: unknown): ImportRecord | { problem: string } {
  const parsed = importRecord.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
  return { problem: problems.join('; ') }
}

/** Also with its offset: further years have forms of their own in the database, as in JavaScript. */
function isOfFourDigits(text: string): boolean {
  const year = new Date(text).getUTCFullYear()
  return year >= 1 && year <= 9999
}
