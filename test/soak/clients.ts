import { print } from 'graphql'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import {
  DeleteMessageDocument,
  EditMessageDocument,
  InboxEventsDocument,
  type InboxEventsSubscription,
  MessageEventsDocument,
  type MessageEventsSubscription,
  SendMessageDocument
} from '../../documents/generated.js'
import { GraphQLClient } from '../support/graphql-client.js'
import type { Random } from './random.js'

/** What was last acknowledged of a message, by its id: null once deleted. */
export type Acknowledged = Map<string, string | null>

const RETRY_MS = 50

/** Sends, and now and then edits and deletes, until everything was acknowledged: as docs/clients.md says, by retrying. */
export class Sender {
  readonly acknowledged: Acknowledged = new Map()
  readonly #clients: GraphQLClient[]
  readonly #random: Random
  #retried = 0

  constructor(urls: string[], token: string, random: Random) {
    this.#clients = urls.map((url) => new GraphQLClient(url, token))
    this.#random = random
  }

  get retried(): number {
    return this.#retried
  }

  /** @param name makes client message ids unique */
  async send(conversationId: string, name: string, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const body = `${name} ${index}`
      const input = { conversationId, body, clientMessageId: body }
      const { sendMessage } = await this.#untilDone((client) => client.run(SendMessageDocument, { input }))
      this.acknowledged.set(sendMessage.message.id, body)
      await this.#changeOne(index)
    }
  }

  async #changeOne(index: number): Promise<void> {
    const chance = this.#random()
    if (chance > 0.2) return
    const ids = [...this.acknowledged.keys()]
    const messageId = ids[Math.floor(this.#random() * ids.length)] ?? ''
    if (this.acknowledged.get(messageId) === null) return
    if (chance < 0.05) {
      await this.#untilDone((client) => client.run(DeleteMessageDocument, { messageId }))
      this.acknowledged.set(messageId, null)
    } else {
      const body = `edited at ${index}`
      await this.#untilDone((client) => client.run(EditMessageDocument, { messageId, body }))
      this.acknowledged.set(messageId, body)
    }
  }

  async #untilDone<T>(request: (client: GraphQLClient) => Promise<T>): Promise<T> {
    for (;;) {
      const client = this.#clients[Math.floor(this.#random() * this.#clients.length)]
      try {
        if (client) return await request(client)
      } catch {
        this.#retried++
        await pause()
      }
    }
  }
}

/** An event as a subscriber keeps it. */
export interface Seen {
  change: number
  id: string
  sequence: number
  body: string | null
  type: string
}

/** Follows one conversation, alone or in its inbox, and goes on from its cursor on whichever process it can reach. */
export class Subscriber {
  readonly seen: Seen[] = []
  readonly #urls: string[]
  readonly #token: string
  readonly #random: Random
  #cursor: string
  #over = false
  #connections = 0
  #leave: () => void = () => {}

  constructor(urls: string[], token: string, random: Random, cursor: string) {
    this.#urls = urls
    this.#token = token
    this.#random = random
    this.#cursor = cursor
  }

  get connections(): number {
    return this.#connections
  }

  async follow(conversationId: string, how: 'ALONE' | 'INBOX'): Promise<void> {
    while (!this.#over) {
      await this.#connectOnce(conversationId, how).catch(() => {})
      if (!this.#over) await pause()
    }
  }

  stop(): void {
    this.#over = true
    this.#leave()
  }

  async #connectOnce(conversationId: string, how: 'ALONE' | 'INBOX'): Promise<void> {
    this.#connections++
    const url = this.#urls[Math.floor(this.#random() * this.#urls.length)] ?? ''
    const socket = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${this.#token}` }
    })
    this.#leave = () => void socket.dispose()
    const payload =
      how === 'ALONE'
        ? { query: print(MessageEventsDocument), variables: { conversationId, after: this.#cursor } }
        : { query: print(InboxEventsDocument), variables: { resume: [{ conversationId, after: this.#cursor }] } }
    try {
      for await (const { data, errors } of socket.iterate<MessageEventsSubscription & InboxEventsSubscription>(
        payload
      )) {
        if (errors) throw new Error(JSON.stringify(errors))
        const event = how === 'ALONE' ? data?.messageEvents : data?.inboxEvents
        if (event) this.#note(event)
      }
    } finally {
      await socket.dispose()
    }
  }

  #note({ cursor, type, message }: MessageEventsSubscription['messageEvents']): void {
    this.#cursor = cursor
    const { id, sequence, body } = message
    this.seen.push({ change: changeOf(cursor), id, sequence, body, type })
  }
}

/** The number behind a cursor: opaque to clients, and what a test of the order needs. */
export function changeOf(cursor: string): number {
  return Number(Buffer.from(cursor, 'base64url').subarray(9).toString())
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
}
