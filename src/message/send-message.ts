import { v7 as uuidv7 } from 'uuid'
import { BadUserInput, Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { findByClientMessageId } from './find-messages.js'
import type { Message } from './message.js'
import { requireBody, requireClientMessageId } from './message-body.js'

export interface MessageDraft {
  conversationId: string
  body: string
  clientMessageId: string | null
  /** UUID of a message of the same conversation. */
  replyToId: string | null
}

type SendServices = Pick<Services, 'database' | 'sendingKeys' | 'sendGroups' | 'messageOpener' | 'signals' | 'config'>

/**
 * Encrypts a message and stores it. When the promise resolves the message is committed.
 *
 * With a `clientMessageId` a retry is safe, in whatever process it arrives: the same id by the same sender never
 * stores twice, for as long as the conversation exists, and the retry answers with the message as it is now. That
 * holds also where it was edited, deleted, or can be opened no more: a deleted message is not brought back, and its
 * status says what became of it. Only its body as first sent can be compared: once that is gone, or out of reach, a
 * retry with another body goes unnoticed.
 *
 * @throws Conflict when the message of that id had another body, or was another reply
 * @throws NotFound when there is no such conversation, or the viewer is not in it
 * @throws BadUserInput for a body that cannot be sent, or a reply to what the viewer cannot see
 */
export async function sendMessage(services: SendServices, viewer: Viewer, draft: MessageDraft): Promise<Message> {
  const body = requireBody('input.body', draft.body, services.config.maxBodyBytes)
  try {
    return await sendBody(services, viewer, draft, body)
  } finally {
    // Here and not where it is encrypted: it may be encrypted again, under the next data key.
    body.fill(0)
  }
}

async function sendBody(services: SendServices, viewer: Viewer, draft: MessageDraft, body: Buffer): Promise<Message> {
  const { conversationId, clientMessageId, replyToId } = draft
  if (clientMessageId !== null) requireClientMessageId('input.clientMessageId', clientMessageId)
  await services.sendingKeys.admit(conversationId, viewer)
  const unsent = { id: uuidv7(), senderId: viewer.id, body, clientMessageId, replyToId }
  const result = await services.sendGroups.store(conversationId, unsent)
  if (result === 'NOT_MEMBER') throw new NotFound('conversation')
  if (result === 'REPLY_UNKNOWN') {
    throw new BadUserInput('input.replyToId', 'There is no such message in this conversation.')
  }
  const message = result === 'STORED_BEFORE' ? await storedBefore(services, viewer, draft) : result
  // For a retry as well: the first try may have ended between its commit and its signal.
  services.signals.publish(`conversation:${conversationId}`)
  return message
}

/** The message that an earlier try of the same send has stored. */
async function storedBefore(
  services: Pick<Services, 'database' | 'messageOpener'>,
  viewer: Viewer,
  { conversationId, clientMessageId, replyToId, body }: MessageDraft
): Promise<Message> {
  const earlier = clientMessageId && (await findByClientMessageId(services, viewer, conversationId, clientMessageId))
  // Removed, or the conversation deleted, since it was found to be stored.
  if (!earlier) throw new NotFound('conversation')
  const [opened] = await services.messageOpener.open([earlier])
  const isOtherBody = opened?.status === 'READABLE' && earlier.revision === 0 && opened.body !== body
  if (isOtherBody || earlier.replyToId !== replyToId) {
    throw new Conflict('This client message id was used for another message. Use a new id for a new message.')
  }
  return earlier
}
