import type { MessageFieldsFragment } from '../../../documents/generated.js'

export type Message = MessageFieldsFragment

/** What the viewer has sent and the server has not answered yet, or has refused. */
export interface Pending {
  clientMessageId: string
  body: string
  replyToId: string | null
  refusal: string | null
}

/** The part of a conversation that this window has: its end, and as much before it as was looked at. */
export interface ConversationLog {
  /** Ascending by sequence. */
  messages: readonly Message[]
  pending: readonly Pending[]
  /** Of the page before the first message; null when there is none. */
  before: string | null
  isLoaded: boolean
  /** Changes of messages on pages that were not looked at: such a page may have been read before the change. */
  ahead: readonly Message[]
}

export type LogAction =
  | { type: 'OPENED'; messages: readonly Message[]; before: string | null }
  | { type: 'OLDER'; messages: readonly Message[]; before: string | null }
  | { type: 'CHANGED'; message: Message }
  | { type: 'REREAD'; messages: readonly Message[] }
  | { type: 'SENDING'; pending: Pending }
  | { type: 'SENT'; clientMessageId: string; message: Message }
  | { type: 'REFUSED'; clientMessageId: string; refusal: string }
  | { type: 'DROPPED'; clientMessageId: string }

export const emptyLog: ConversationLog = { messages: [], pending: [], before: null, isLoaded: false, ahead: [] }

export function changeLog(log: ConversationLog, action: LogAction): ConversationLog {
  switch (action.type) {
    case 'OPENED':
      return { ...log, messages: action.messages, before: action.before, isLoaded: true, ahead: [] }
    case 'OLDER':
      return { ...log, ...withOlder(log, action.messages), before: action.before }
    case 'CHANGED':
      return isOlderThanShown(log, action.message)
        ? { ...log, ahead: merge(log.ahead, [action.message]) }
        : { ...log, messages: merge(log.messages, [action.message]) }
    case 'REREAD':
      return { ...log, messages: reread(log.messages, action.messages) }
    case 'SENDING':
      return { ...log, pending: [...without(log.pending, action.pending.clientMessageId), action.pending] }
    case 'SENT':
      return {
        ...log,
        messages: merge(log.messages, [action.message]),
        pending: without(log.pending, action.clientMessageId)
      }
    case 'REFUSED':
      return { ...log, pending: log.pending.map((one) => refused(one, action)) }
    case 'DROPPED':
      return { ...log, pending: without(log.pending, action.clientMessageId) }
  }
}

/**
 * What is still to be shown as on its way, or as refused. The answer may have been lost, or be slower than the event:
 * what was stored is shown once.
 */
export function shownPending({ messages, pending }: ConversationLog, userId: string): readonly Pending[] {
  const own = messages.filter(({ sender }) => sender?.id === userId)
  const stored = new Set(own.map(({ clientMessageId }) => clientMessageId))
  return pending.filter(({ clientMessageId }) => !stored.has(clientMessageId))
}

/** An event may be of a message on a page that was not looked at. */
function isOlderThanShown({ messages, before }: ConversationLog, { sequence }: Message): boolean {
  return before !== null && sequence < (messages[0]?.sequence ?? 0)
}

/** A page before, with the changes that were told before it was here. */
function withOlder({ messages, ahead }: ConversationLog, page: readonly Message[]) {
  const read = new Map(page.map((message) => [message.id, message]))
  const changes = ahead.filter((change) => isChangeOf(read.get(change.id), change))
  return {
    messages: merge(merge(page, changes), messages),
    ahead: ahead.filter(({ id }) => !read.has(id))
  }
}

/** Whether the event is of a later state than that on the page. A message is deleted once, and for good. */
function isChangeOf(read: Message | undefined, told: Message): boolean {
  if (!read || read.deletedAt !== null) return false
  return told.deletedAt !== null || (told.editedAt ?? '') > (read.editedAt ?? '')
}

/**
 * What a move of keys has done to messages that are shown. An event may have been here before the page that was read
 * for this: of what events tell, nothing is taken from it.
 */
function reread(shown: readonly Message[], now: readonly Message[]): readonly Message[] {
  const byId = new Map(now.map((message) => [message.id, message]))
  return shown.map((before) => {
    const after = byId.get(before.id)
    if (!after || before.status === 'DELETED' || after.status === 'DELETED') return before
    return after.status === before.status && after.keyVersion === before.keyVersion ? before : after
  })
}

/** Every one once, by its id, in the state of `newer` where both have it. */
function merge(older: readonly Message[], newer: readonly Message[]): readonly Message[] {
  const byId = new Map([...older, ...newer].map((message) => [message.id, message]))
  return [...byId.values()].sort((a, b) => a.sequence - b.sequence)
}

function without(pending: readonly Pending[], clientMessageId: string): readonly Pending[] {
  return pending.filter((one) => one.clientMessageId !== clientMessageId)
}

function refused(one: Pending, { clientMessageId, refusal }: { clientMessageId: string; refusal: string }): Pending {
  return one.clientMessageId === clientMessageId ? { ...one, refusal } : one
}
