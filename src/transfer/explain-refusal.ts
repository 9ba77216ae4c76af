import { isUniqueViolation, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import type { MessageDraft } from './import-batches.js'
import { TransferError } from './transfer-error.js'

const STORED: Statement = {
  text: `
    select id, sender_id as "senderId", client_message_id as "clientMessageId" from messages
     where conversation_id = $1 and id = any($2::uuid[])
     union all
    select x.id, x.sender_id, x.client_message_id
      from unnest($3::text[], $4::text[]) as d (sender_id, client_message_id)
      join messages x on x.conversation_id = $1 and x.sender_id = d.sender_id and x.client_message_id = d.client_message_id`
}

interface Stored {
  id: string
  senderId: string | null
  clientMessageId: string | null
}

/** Finds the line because of which the database has refused a batch. @returns null where it was something else */
export async function explainRefusal(
  { database }: Pick<Services, 'database'>,
  conversationId: string,
  part: readonly MessageDraft[],
  error: unknown
): Promise<TransferError | null> {
  const isDangling = (error as { code?: unknown } | null)?.code === '23503'
  if (!isUniqueViolation(error) && !isDangling) return null
  const stored = await database.run<Stored>(STORED, [
    conversationId,
    part.flatMap(({ id, replyToId }) => [id, replyToId]).filter((id) => id !== null),
    part.map(({ senderId }) => senderId),
    part.map(({ clientMessageId }) => clientMessageId)
  ])
  const ids = new Set(stored.map(({ id }) => id))
  return isDangling ? unknownReply(part, ids) : duplicate(part, ids, new Set(stored.flatMap(clientNames)))
}

function unknownReply(part: readonly MessageDraft[], ids: ReadonlySet<string>): TransferError | null {
  const all = new Set([...ids, ...part.map(({ id }) => id)])
  const dangling = part.find(({ replyToId }) => replyToId !== null && !all.has(replyToId))
  return dangling
    ? new TransferError('LINE', 'The message that this one replies to is not there.', dangling.line.number)
    : null
}

function duplicate(part: readonly MessageDraft[], ids: Set<string>, names: Set<string>): TransferError | null {
  for (const draft of part) {
    const [name] = clientNames(draft)
    const problem = ids.has(draft.id)
      ? 'There is a message with this id already.'
      : name !== undefined && names.has(name)
        ? 'There is a message of this sender with this clientMessageId already.'
        : null
    if (problem) return new TransferError('LINE', problem, draft.line.number)
    ids.add(draft.id)
    if (name !== undefined) names.add(name)
  }
  return null
}

function clientNames({ senderId, clientMessageId }: Pick<Stored, 'senderId' | 'clientMessageId'>): string[] {
  return clientMessageId === null ? [] : [JSON.stringify([senderId, clientMessageId])]
}
