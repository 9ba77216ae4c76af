import type { MessageFieldsFragment } from '../../../documents/generated.js'

export type Message = MessageFieldsFragment

/** What the viewer has sent and the server has not answered yet, or has refused. */
export interface Pending {
  clientMessageId: string
  body: string
  replyToId: string | null
  refusal: string | null
  /** The last sequence that was known when it was first sent. */
  after: number
}

/** The part of a conversation that this window has: its end, and as much before it as was looked at. */
export interface ConversationLog {
  /** Ascending by sequence. */
  messages: readonly Message[]
  pending: readonly Pending[]
  /** Of the page before the first message; null when there is none. */
  before: string | null
  isLoaded: boolean
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

export const emptyLog: ConversationLog = { messages: [], pending: [], before: null, isLoaded: false }

export function changeLog(log: ConversationLog, action: LogAction): ConversationLog {
  switch (action.type) {
    case 'OPENED':
      return { ...log, messages: action.messages, before: action.before, isLoaded: true }
    case 'OLDER':
      return { ...log, messages: merge(action.messages, log.messages), before: action.before }
    case 'CHANGED':
      return isOlderThanShown(log, action.message) ? log : { ...log, messages: merge(log.messages, [action.message]) }
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
 * What is still to be shown as on its way. The answer may have been lost, or be slower than the event: what was stored
 * is shown once.
 */
export function shownPending({ messages, pending }: ConversationLog, userId: string): readonly Pending[] {
  const own = messages.filter(({ sender }) => sender?.id === userId)
  return pending.filter(({ body, after }) => {
    const stored = own.findIndex((message) => message.sequence > after && message.body === body)
    if (stored >= 0) own.splice(stored, 1)
    return stored < 0
  })
}

/** An event may be of a message on a page that was not looked at: it comes with that page. */
function isOlderThanShown({ messages, before }: ConversationLog, { sequence }: Message): boolean {
  return before !== null && sequence < (messages[0]?.sequence ?? 0)
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
