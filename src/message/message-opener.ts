import { type Keyring, type OpenedDataKey, placeKey } from '../conversation-key/keyring.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { decryptText } from '../crypto/decrypt-text.js'
import { DecryptionError } from '../crypto/errors.js'
import type { Database, Statement } from '../database/database.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/metrics.js'
import { MESSAGE_COLUMNS, MESSAGE_KEYS, type Message } from './message.js'

export type MessageStatus = 'READABLE' | 'DELETED' | 'KEY_DESTROYED' | 'UNREADABLE'

export type OpenedMessage =
  | { status: 'READABLE'; body: string }
  | { status: Exclude<MessageStatus, 'READABLE'>; body: null }

// For messages that their reader was found to be allowed to see.
export const REREAD_MESSAGES: Statement = {
  name: 'reread-messages',
  text: `
    select ${MESSAGE_COLUMNS}
      from unnest($1::uuid[], $2::uuid[]) as wanted (conversation_id, id)
      join messages x on x.conversation_id = wanted.conversation_id and x.id = wanted.id
      ${MESSAGE_KEYS}`
}

const closed = (status: Exclude<MessageStatus, 'READABLE'>): OpenedMessage => ({ status, body: null })

/** Decrypts messages. One that cannot be opened has a status that says so, and is never an error of the page. */
export class MessageOpener {
  readonly #database: Database
  readonly #keyring: Keyring
  readonly #metrics: Metrics['messages']
  readonly #log: Logger
  /** The fields of one message are resolved apart: it is opened once for all of them. */
  readonly #opened = new WeakMap<Message, OpenedMessage>()

  constructor(deps: { database: Database; keyring: Keyring; metrics: Metrics; log: Logger }) {
    this.#database = deps.database
    this.#keyring = deps.keyring
    this.#metrics = deps.metrics.messages
    this.#log = deps.log
  }

  /** Opens messages of any conversations, in the order given, with one key look-up for all of them. */
  async open(messages: readonly Message[]): Promise<OpenedMessage[]> {
    const waiting = messages.filter((message) => !this.#opened.has(message))
    if (waiting.length > 0) await this.#openAll(waiting)
    return messages.map((message) => this.#opened.get(message) ?? closed('UNREADABLE'))
  }

  async #openAll(messages: Message[]): Promise<void> {
    const opened = await this.#tryAll(messages)
    // Between the reading of a row and its opening, a re-encryption may have moved the message on and destroyed
    // the key that it lay under: the row is read again before anybody is told that it is gone.
    const closedNow = messages.filter((message, index) => message.envelope && opened[index]?.status !== 'READABLE')
    const moved = await this.#readMoved(closedNow)
    const reopened = await this.#tryAll([...moved.values()])
    const again = new Map([...moved.keys()].map((message, index) => [message, reopened[index]]))
    const counts = new Map<MessageStatus, number>()
    messages.forEach((message, index) => {
      const result = again.get(message) ?? opened[index] ?? closed('UNREADABLE')
      this.#opened.set(message, result)
      counts.set(result.status, (counts.get(result.status) ?? 0) + 1)
    })
    for (const [status, count] of counts) this.#metrics.opened.inc({ status }, count)
  }

  async #tryAll(messages: Message[]): Promise<OpenedMessage[]> {
    // A page has few data keys: one message under each stands for all of them.
    const places = new Map(messages.filter(({ envelope }) => envelope).map((message) => [placeKey(message), message]))
    const keys = await this.#keyring.open([...places.values()])
    const byPlace = new Map([...places.keys()].map((place, index) => [place, keys[index]]))
    return messages.map((message) => this.#openOne(message, byPlace.get(placeKey(message))))
  }

  /** Those of the messages that lie under another data key by now, as they are now. */
  async #readMoved(messages: Message[]): Promise<Map<Message, Message>> {
    if (messages.length === 0) return new Map()
    const ids = [messages.map(({ conversationId }) => conversationId), messages.map(({ id }) => id)]
    const rows = new Map((await this.#database.lookUp<Message>(REREAD_MESSAGES, ids)).map((row) => [row.id, row]))
    return new Map(
      messages.flatMap((message): [Message, Message][] => {
        const row = rows.get(message.id)
        return row && row.dataKeyId !== message.dataKeyId ? [[message, row]] : []
      })
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
        body: decryptText(key.dataKey, message.envelope, associatedData)
      }
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error
      const { conversationId, id, sequence, dataKeyId } = message
      this.#log.error({ conversationId, messageId: id, sequence, dataKeyId }, 'message fails authentication')
      return closed('UNREADABLE')
    }
  }
}
