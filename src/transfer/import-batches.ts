import type { Clock } from '../clock.js'
import { BadUserInput, ConclaveError } from '../errors.js'
import { isBlank, requireBody, requireClientMessageId } from '../message/message-body.js'
import type { ImportIds } from './import-ids.js'
import type { SourceLine } from './import-source.js'
import type { ImportedConversation, ImportedMember, ImportedMessage, ImportRecord } from './records.js'
import { TransferError } from './transfer-error.js'

/** Rows of one transaction, at most. */
const BATCH_ROWS = 1000
const BATCH_BYTES = 4 * 1024 * 1024

type Line = Pick<SourceLine, 'number' | 'content'>

/** A message to store, checked by itself, under the ids that it gets. */
export interface MessageDraft {
  line: Line
  id: string
  sequence: number | null
  kind: 'TEXT' | 'SYSTEM'
  senderId: string | null
  clientMessageId: string | null
  /** Null for a deleted one. */
  body: Buffer | null
  replyToId: string | null
  revision: number
  createdAt: Date
  editedAt: Date | null
  deletedAt: Date | null
  /** Why it is stored as deleted although nobody has deleted it. */
  lost: Loss | null
}

/** The export could not open it any more; or it says nothing, and nobody could send it. */
export type Loss = 'UNREADABLE' | 'BLANK'

/** What goes into the database together, or not at all: consecutive lines of one kind. */
export type Batch =
  | { kind: 'CONVERSATION'; id: string; line: Line; record: ImportedConversation }
  | { kind: 'PEOPLE'; lines: Line[]; users: { id: string; name: string }[]; members: MemberDraft[] }
  | { kind: 'MESSAGES'; conversationId: string; drafts: MessageDraft[] }

export type MemberDraft = ImportedMember & { line: Line }

export interface BatchLimits {
  ids: ImportIds
  clock: Clock
  maxBodyBytes: number
  /** Messages under one data key. */
  maxMessages: number
  /** Whether a blank body is stored as a deleted one, and not refused. */
  takesBlank: boolean
}

/**
 * Gathers lines into batches. A line that cannot be taken ends it, after the batch of those before it.
 *
 * @throws TransferError LINE
 */
export async function* importBatches(lines: AsyncIterator<SourceLine>, limits: BatchLimits): AsyncGenerator<Batch> {
  const gathered = new Gathered(limits)
  for (;;) {
    let line: SourceLine
    let record: ImportRecord
    try {
      const next = await lines.next()
      if (next.done) break
      line = next.value
      record = await line.read()
      const full = gathered.add(line, record)
      if (full) yield full
    } catch (error) {
      const before = gathered.take()
      if (before) yield before
      throw error
    }
  }
  const rest = gathered.take()
  if (rest) yield rest
}

class Gathered {
  readonly #limits: BatchLimits
  #batch: Batch | null = null
  #bytes = 0

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  take(): Batch | null {
    const batch = this.#batch
    this.#batch = null
    this.#bytes = 0
    return batch
  }

  /** @returns the batch before, where the line does not go into it */
  add(line: Line, record: ImportRecord): Batch | null {
    if (record.type === 'message') return this.#addMessage(line, record)
    if (record.type === 'conversation') {
      const id = this.#limits.ids.conversation(record.id)
      const before = this.take()
      this.#batch = { kind: 'CONVERSATION', id, line: kept(line), record }
      return before
    }
    const open = this.#batch
    const fits = open?.kind === 'PEOPLE' && open.lines.length < BATCH_ROWS
    const before = fits ? null : this.take()
    const batch = fits ? open : { kind: 'PEOPLE' as const, lines: [], users: [], members: [] }
    batch.lines.push(kept(line))
    if (record.type === 'user') batch.users.push(record)
    else
      batch.members.push({
        ...record,
        conversationId: this.#limits.ids.conversation(record.conversationId),
        line: kept(line)
      })
    this.#batch = batch
    return before
  }

  #addMessage(line: Line, record: ImportedMessage): Batch | null {
    const conversationId = this.#limits.ids.conversation(record.conversationId)
    const draft = draftOf(this.#limits, conversationId, line, record)
    const bytes = line.content.length
    const open = this.#batch
    const fits =
      open?.kind === 'MESSAGES' &&
      open.conversationId === conversationId &&
      open.drafts.length < Math.min(BATCH_ROWS, this.#limits.maxMessages) &&
      this.#bytes + bytes <= BATCH_BYTES
    const before = fits ? null : this.take()
    const batch = fits ? open : { kind: 'MESSAGES' as const, conversationId, drafts: [] }
    batch.drafts.push(draft)
    this.#batch = batch
    this.#bytes += bytes
    return before
  }
}

/** Without the record that was read from it. */
function kept({ number, content }: Line): Line {
  return { number, content }
}

function draftOf(limits: BatchLimits, conversationId: string, line: Line, record: ImportedMessage): MessageDraft {
  const { ids, maxBodyBytes } = limits
  const { number } = line
  const { kind, senderId = null, clientMessageId = null, replyToId } = record
  const refuse = (problem: string) => new TransferError('LINE', problem, number)
  if ((kind === 'SYSTEM') !== (senderId === null)) throw refuse('A text has a senderId, and a system message has none.')
  const editedAt = instant(record.editedAt)
  const lost = lossOf(record, limits)
  const body = lost === 'BLANK' ? null : (record.body ?? null)
  const deletedAt = lost === null ? instant(record.deletedAt) : lostAt(lost, record, limits)
  if ((body === null) !== (deletedAt !== null)) throw refuse('A message has a body, or deletedAt.')
  return {
    line: kept(line),
    id: ids.message(conversationId, record.id, number),
    sequence: record.sequence ?? null,
    kind,
    senderId,
    clientMessageId:
      clientMessageId === null ? null : checked(number, () => requireClientMessageId('', clientMessageId)),
    body: body === null ? null : checked(number, () => requireBody('', body, maxBodyBytes)),
    replyToId: replyToId == null ? null : ids.message(conversationId, replyToId, number),
    revision: record.revision ?? (editedAt ? 1 : 0),
    createdAt: new Date(record.createdAt),
    editedAt,
    deletedAt,
    lost
  }
}

/** What has no body to store, and was not deleted: it keeps its place, as a deleted one does. */
function lossOf({ status, body, deletedAt }: ImportedMessage, { takesBlank }: BatchLimits): Loss | null {
  if (deletedAt != null) return null
  if (status === 'KEY_DESTROYED' || status === 'UNREADABLE') return 'UNREADABLE'
  return takesBlank && body != null && isBlank(body) ? 'BLANK' : null
}

function lostAt(lost: Loss, { createdAt, editedAt }: ImportedMessage, { clock }: BatchLimits): Date {
  return lost === 'BLANK' ? new Date(editedAt ?? createdAt) : clock.now()
}

function instant(text: string | null | undefined): Date | null {
  return text == null ? null : new Date(text)
}

/** What a client would be told is told of the line. */
export function checked<T>(line: number, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof ConclaveError)) throw error
    const at = error instanceof BadUserInput && error.field !== '' ? `${error.field}: ` : ''
    throw new TransferError('LINE', `${at}${error.message}`, line)
  }
}
