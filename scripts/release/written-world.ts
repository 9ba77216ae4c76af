import { destroyDue } from '../../jobs/destroy-due.js'
import { runOperation } from '../../jobs/key-operations.js'
import { createConversation } from '../../src/conversation/create-conversation.js'
import { renameConversation } from '../../src/conversation/rename-conversation.js'
import { rotateKey } from '../../src/conversation-key/rotate-key.js'
import { anchorKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import type { Viewer } from '../../src/identity/viewer.js'
import { deleteConversation } from '../../src/key-life/delete-conversation.js'
import { scheduleKeyDestruction } from '../../src/key-life/destroy-key.js'
import type { KeyOperation } from '../../src/key-life/key-operations.js'
import { markKeyCompromised } from '../../src/key-life/mark-compromised.js'
import { reencryptConversation } from '../../src/key-life/reencrypt-data-keys.js'
import { rewrapPrivateKeys } from '../../src/key-life/rewrap-private-keys.js'
import { deleteMessage } from '../../src/message/delete-message.js'
import { editMessage } from '../../src/message/edit-message.js'
import { sendMessage } from '../../src/message/send-message.js'
import type { Services } from '../../src/services.js'

/** Conversations with everything that can become of one, and beside them what a reader must find there. */

export interface WrittenMessage {
  sequence: number
  /** Null for the system. */
  sender: string | null
  status: 'READABLE' | 'DELETED' | 'KEY_DESTROYED' | 'UNREADABLE'
  body: string | null
  edited: boolean
}

export interface WrittenConversation {
  id: string
  title: string | null
  /** Deleted, and not yet purged: nothing of it opens. */
  deleted: boolean
  messages: WrittenMessage[]
}

/** The program that writes, as it is at the time: its master key may have been changed since. */
export interface Writer {
  api: Services
  worker: Services
  clock: { advance(ms: number): void }
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const NAMES: Record<string, string> = { alice: 'Alice', bob: 'Bob', 'zoë@example.org ✓': 'Zoë' }
const ZOE = 'zoë@example.org ✓'
const TEXTS = [
  'Hungry?',
  'Grüße, 👩‍👩‍👧 and ‮everything‬',
  'two\nlines\tand\r\nall that is white\u00a0space',
  '\u001b[2J{"not": "JSON"}\u0000',
  `${'long '.repeat(800)}end`
]

function viewer(id: string, ...scopes: string[]): Viewer {
  return { id, name: NAMES[id] ?? id, scopes: new Set(scopes), expiresAt: null }
}

const ADMIN = viewer('admin', 'keys:admin', 'keys:read')

/** One conversation that is written in, and what was written. */
class Writing implements WrittenConversation {
  deleted = false
  readonly messages: WrittenMessage[] = []
  readonly #keys = new Map<number, string>()

  constructor(
    readonly id: string,
    public title: string | null
  ) {}

  async send({ api, clock }: Writer, sender: string, body: string, replyTo: number | null = null): Promise<void> {
    clock.advance(MINUTE_MS)
    const replyToId = replyTo === null ? null : this.#keyOf(replyTo)
    const draft = { conversationId: this.id, body, clientMessageId: null, replyToId }
    const { sequence, id } = await sendMessage(api, viewer(sender), draft)
    this.#keys.set(sequence, id)
    this.messages.push({ sequence, sender, status: 'READABLE', body, edited: false })
  }

  async sendAll(writer: Writer): Promise<void> {
    const senders = Object.keys(NAMES)
    for (const [index, body] of TEXTS.entries()) await this.send(writer, senders[index % senders.length] ?? '', body)
  }

  async edit({ api, clock }: Writer, sequence: number, body: string): Promise<void> {
    clock.advance(MINUTE_MS)
    const message = this.#at(sequence)
    await editMessage(api, viewer(message.sender ?? ''), this.#place(sequence), body)
    Object.assign(message, { body, edited: true })
  }

  async delete({ api, clock }: Writer, sequence: number): Promise<void> {
    clock.advance(MINUTE_MS)
    const message = this.#at(sequence)
    await deleteMessage(api, viewer(message.sender ?? ''), this.#place(sequence))
    this.close([sequence], 'DELETED')
  }

  async rename({ api, clock }: Writer, title: string | null): Promise<void> {
    clock.advance(MINUTE_MS)
    await renameConversation(api, viewer('alice'), this.id, title)
    this.title = title
    const body = title === null ? 'Alice removed the title' : `Alice changed the title to ${title}`
    const sequence = (this.messages.at(-1)?.sequence ?? 0) + 1
    this.messages.push({ sequence, sender: null, status: 'READABLE', body, edited: false })
  }

  async rotate({ api, clock }: Writer): Promise<void> {
    clock.advance(DAY_MS)
    await rotateKey(api, viewer('alice'), this.id)
  }

  async reencrypt(writer: Writer, fromVersion: number): Promise<void> {
    await finish(writer, await reencryptConversation(writer.api, ADMIN, this.id, fromVersion))
  }

  async compromise(writer: Writer, version: number): Promise<void> {
    const target = { conversationId: this.id, version }
    await finish(writer, (await markKeyCompromised(writer.api, ADMIN, target)).operation)
  }

  /** On its way: it opens nothing any more, and could still be restored. */
  async schedule({ api }: Writer, version: number, after: string, sequences: number[]): Promise<void> {
    await scheduleKeyDestruction(api, ADMIN, { conversationId: this.id, version }, after)
    this.close(sequences, 'UNREADABLE')
  }

  async destroy(writer: Writer, version: number, sequences: number[]): Promise<void> {
    await this.schedule(writer, version, 'PT1S', sequences)
    writer.clock.advance(1000)
    await destroyDue(writer.worker, new AbortController().signal)
    this.close(sequences, 'KEY_DESTROYED')
  }

  close(sequences: number[], status: WrittenMessage['status']): void {
    for (const sequence of sequences) {
      const message = this.#at(sequence)
      if (message.status !== 'DELETED') Object.assign(message, { status, body: null })
    }
  }

  #at(sequence: number): WrittenMessage {
    const message = this.messages.find((written) => written.sequence === sequence)
    if (!message) throw new Error(`there is no message ${sequence}`)
    return message
  }

  #keyOf(sequence: number): string {
    const id = this.#keys.get(sequence)
    if (!id) throw new Error(`message ${sequence} was not sent here`)
    return id
  }

  #place(sequence: number): { conversationId: string; messageId: string } {
    return { conversationId: this.id, messageId: this.#keyOf(sequence) }
  }
}

/** All that is written before the master key is changed. */
export async function writeBefore(writer: Writer): Promise<Writing[]> {
  return [
    await writeRotated(writer),
    await writeDestroyed(writer),
    await writeCompromised(writer),
    await writeReencrypted(writer),
    await writePending(writer),
    await writeDeleted(writer),
    await untouched(writer)
  ]
}

/** Moves every private key to the master key that is the current one now, and goes on writing. */
export async function writeAfter(writer: Writer, written: Writing[]): Promise<WrittenConversation[]> {
  // A rewrap would wait for sends of a moment ago, if they took long, on a clock that stands still.
  writer.clock.advance(DAY_MS)
  await finish(writer, await rewrapPrivateKeys(writer.api, ADMIN, { dryRun: false }))
  for (const writing of written.filter(({ deleted }) => !deleted)) {
    await writing.rotate(writer)
    await writing.send(writer, 'bob', 'after the master key was changed')
  }
  await anchorKeyEvents({ database: writer.worker.database, now: writer.worker.clock.now() })
  return written.map(({ id, title, deleted, messages }) => ({ id, title, deleted, messages }))
}

async function writeRotated(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'Lunch')
  await writing.sendAll(writer)
  await writing.rotate(writer)
  await writing.send(writer, 'bob', 'At one, then.', 1)
  await writing.edit(writer, 1, 'Are you hungry?')
  await writing.rename(writer, 'Mittagessen – 昼食')
  await writing.rotate(writer)
  await writing.edit(writer, 1, 'Hungry, all of you?')
  await writing.delete(writer, 3)
  await writing.sendAll(writer)
  return writing
}

async function writeDestroyed(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'Kept, while what was said is gone')
  await writing.sendAll(writer)
  await writing.delete(writer, 2)
  await writing.rotate(writer)
  await writing.send(writer, 'alice', 'under the second version')
  await writing.destroy(writer, 1, [1, 2, 3, 4, 5])
  return writing
}

async function writeCompromised(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'Leaked')
  await writing.sendAll(writer)
  await writing.edit(writer, 4, 'edited before the leak')
  await writing.compromise(writer, 1)
  await writing.send(writer, 'bob', 'behind the leak')
  return writing
}

async function writeReencrypted(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, null)
  await writing.sendAll(writer)
  await writing.rotate(writer)
  await writing.reencrypt(writer, 1)
  // Nothing lies under the first version any more.
  await writing.destroy(writer, 1, [])
  return writing
}

async function writePending(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'On its way')
  await writing.send(writer, 'alice', 'under a version that waits for its end')
  await writing.rotate(writer)
  await writing.send(writer, 'alice', 'under the next')
  await writing.schedule(writer, 1, 'P9Y', [1])
  return writing
}

async function writeDeleted(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'Deleted')
  await writing.sendAll(writer)
  await deleteConversation(writer.api, viewer('alice'), writing.id)
  writing.close([1, 2, 3, 4, 5], 'KEY_DESTROYED')
  writing.title = null
  writing.deleted = true
  return writing
}

async function untouched(writer: Writer): Promise<Writing> {
  const writing = await begin(writer, 'Untouched')
  await writing.sendAll(writer)
  return writing
}

async function begin(writer: Writer, title: string | null): Promise<Writing> {
  for (const id of Object.keys(NAMES)) await writer.api.users.see(viewer(id))
  const draft = { title, memberIds: ['bob', ZOE], historyVisibility: 'FULL' as const, keyPolicy: null }
  return new Writing((await createConversation(writer.api, viewer('alice'), draft)).id, title)
}

/** As a worker does. @throws Error when it does not succeed */
async function finish({ worker }: Writer, { id, kind }: KeyOperation): Promise<void> {
  await runOperation(worker, id, new AbortController().signal)
  const [row] = await worker.database
    .entities()
    .execute<{ state: string; error: string | null }[]>('select state, error from key_operations where id = ?', [id])
  if (row?.state !== 'SUCCEEDED') throw new Error(`${kind} ended as ${row?.state}: ${row?.error}`)
}
