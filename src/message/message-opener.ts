import type { Keyring, OpenedDataKey } from '../conversation-key/keyring.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { decryptContent } from '../crypto/content-encryption.js'
import { DecryptionError } from '../crypto/errors.js'
import type { Database, Statement } from '../database/database.js'
import type { Logger } from '../log.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from './message.js'

export type MessageStatus = 'READABLE' | 'DELETED' | 'KEY_DESTROYED' | 'UNREADABLE'

export type OpenedMessage =
  | { status: 'READABLE'; body: string }
  | { status: Exclude<MessageStatus, 'READABLE'>; body: null }

// For messages that their reader was found to be allowed to see.
export const REREAD_MESSAGES: Statement = {
  name: 'reread-messages',
  text: `select ${MESSAGE_COLUMNS} from messages x ${MESSAGE_KEYS} where x.conversation_id = $1 and x.id = any($2::uuid[])`
}

const closed = (status: Exclude<MessageStatus, 'READABLE'>): OpenedMessage => ({ status, body: null })

/** Decrypts messages. One that cannot be opened has a status that says so, and is never an error of the page. */
export class MessageOpener {
  readonly #database: Database
  readonly #keyring: Keyring
  readonly #log: Logger
  /** The fields of one message are resolved apart: it is opened once for all of them. */
  readonly #opened = new WeakMap<Message, OpenedMessage>()

  constructor(deps: { database: Database; keyring: Keyring; log: Logger }) {
    this.#database = deps.database
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
    const opened = await this.#tryGroup(conversationId, messages)
    // Between the reading of a row and its opening, a re-encryption may have moved the message on and destroyed
    // the key that it lay under: the row is read again before anybody is told that it is gone.
    const closedNow = messages.filter((message, index) => message.envelope && opened[index]?.status !== 'READABLE')
    const moved = await this.#readMoved(conversationId, closedNow)
    const reopened = await this.#tryGroup(conversationId, [...moved.values()])
    const again = new Map([...moved.keys()].map((message, index) => [message, reopened[index]]))
    messages.forEach((message, index) => {
      this.#opened.set(message, again.get(message) ?? opened[index] ?? closed('UNREADABLE'))
    })
  }

  async #tryGroup(conversationId: string, messages: Message[]): Promise<OpenedMessage[]> {
    const needed = messages.filter((message) => message.envelope).map((message) => message.dataKeyId)
    const keys = await this.#keyring.open(conversationId, needed)
    return messages.map((message) => this.#openOne(message, keys.get(message.dataKeyId)))
  }

  /** Those of the messages that lie under another data key by now, as they are now. */
  async #readMoved(conversationId: string, messages: Message[]): Promise<Map<Message, Message>> {
    if (messages.length === 0) return new Map()
    const rows = await this.#database.lookUp<Message>(REREAD_MESSAGES, [conversationId, messages.map(({ id }) => id)])
    const pairs = messages.map((message) => [message, rows.find(({ id }) => id === message.id)] as const)
    return new Map(
      pairs.filter(
        (pair): pair is [Message, Message] => pair[1] !== undefined && pair[1].dataKeyId !== pair[0].dataKeyId
      )
    )
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
