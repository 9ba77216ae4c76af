import type { Keyring, OpenedDataKey } from '../conversation-key/keyring.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { decryptContent } from '../crypto/content-encryption.js'
import { DecryptionError } from '../crypto/errors.js'
import type { Logger } from '../log.js'
import type { Message } from './message.js'

export type MessageStatus = 'READABLE' | 'DELETED' | 'KEY_DESTROYED' | 'UNREADABLE'

export type OpenedMessage =
  | { status: 'READABLE'; body: string }
  | { status: Exclude<MessageStatus, 'READABLE'>; body: null }

const closed = (status: Exclude<MessageStatus, 'READABLE'>): OpenedMessage => ({ status, body: null })

/** Decrypts messages. One that cannot be opened has a status that says so, and is never an error of the page. */
export class MessageOpener {
  readonly #keyring: Keyring
  readonly #log: Logger
  /** The fields of one message are resolved apart: it is opened once for all of them. */
  readonly #opened = new WeakMap<Message, OpenedMessage>()

  constructor(deps: { keyring: Keyring; log: Logger }) {
    this.#keyring = deps.keyring
    this.#log = deps.log
  }

  /** Opens messages of any conversations, in the order given, with one key look-up per conversation. */
  async open(messages: readonly Message[]): Promise<OpenedMessage[]> {
    const waiting = messages.filter((message) => !this.#opened.has(message))
    const byConversation = Map.groupBy(waiting, (message) => message.conversationId)
    await Promise.all([...byConversation].map(([id, group]) => this.#openGroup(id, group)))
    return messages.map((message) => this.#opened.get(message) ?? closed('UNREADABLE'))
  }

  async #openGroup(conversationId: string, messages: Message[]): Promise<void> {
    const needed = messages.filter((message) => message.envelope).map((message) => message.dataKeyId)
    const keys = await this.#keyring.open(conversationId, needed)
    for (const message of messages) {
      this.#opened.set(message, this.#openOne(message, keys.get(message.dataKeyId)))
    }
  }

  #openOne(message: Message, key: OpenedDataKey | undefined): OpenedMessage {
    if (!message.envelope) return closed('DELETED')
    if (message.keyState === 'DESTROYED') return closed('KEY_DESTROYED')
    if (message.keyState === 'PENDING_DESTRUCTION') return closed('UNREADABLE')
    if (key?.state === 'DESTROYED') return closed('KEY_DESTROYED')
    // Why it is unavailable, the keyring has logged.
    if (key?.state !== 'OPEN') return closed('UNREADABLE')
    try {
      const associatedData = messageAssociatedData({ ...message, messageId: message.id })
      return {
        status: 'READABLE',
        body: decryptContent(key.dataKey, message.envelope, associatedData).toString('utf8')
      }
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error
      const { conversationId, id, sequence, dataKeyId } = message
      this.#log.error({ conversationId, messageId: id, sequence, dataKeyId }, 'message fails authentication')
      return closed('UNREADABLE')
    }
  }
}
