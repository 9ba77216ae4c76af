import { createHash, type Hash } from 'node:crypto'
import type { EntityManager } from '@mikro-orm/postgresql'
import { v7 as uuidv7 } from 'uuid'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { runIn, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import type { MessageDraft } from './import-batches.js'
import type { SourceLine } from './import-source.js'
import { TransferError } from './transfer-error.js'

const BEGIN: Statement = {
  text: `
    insert into imports (id, source, actor, hash, created_at) values ($1, $2, $3, $4, $5)
    on conflict (source) do nothing
    returning id`
}

const FIND: Statement = {
  text: `select id, lines, messages, unreadable, blank, hash, finished_at as "finishedAt" from imports where source = $1`
}

// Compared: of two processes with the same import one finds the other's lines in, and stops.
const ADVANCE = {
  text: `
    update imports
       set lines = $3, messages = messages + $4, unreadable = unreadable + $5, blank = blank + $6, hash = $7, finished_at = null
     where id = $1 and lines = $2
    returning id`
}

/** How far an import has come. */
export interface ImportRow {
  id: string
  /** Number of the last line that is in. */
  lines: number
  messages: number
  /** Messages among them that are stored as deleted, though nobody has deleted them, by why. */
  unreadable: number
  blank: number
  /** SHA-256 over those lines, each with a line feed. */
  hash: Buffer
  finishedAt: Date | null
}

/** Finds the import of that name, or begins one, which is in the audit trail then. */
export async function beginImport(
  services: Pick<Services, 'database' | 'clock'>,
  source: string,
  actor: string
): Promise<ImportRow> {
  const { database } = services
  const find = async () => (await database.run<ImportRow>(FIND, [source]))[0]
  const found = await find()
  if (found) return found
  await database.transaction((em) => begin(em, { source, actor, at: services.clock.now() }))
  const begun = await find()
  if (!begun) throw new Error('an import that was begun is there')
  return begun
}

/** Together: that nothing of it is in says nothing of whether it was begun, and noted, before. */
async function begin(
  em: EntityManager,
  { source, actor, at }: { source: string; actor: string; at: Date }
): Promise<void> {
  const id = uuidv7()
  const begun = await runIn(em, BEGIN, [id, source, actor, createHash('sha256').digest(), at])
  if (begun.length === 0) return
  const detail = `id=${id} source=${source}`
  await appendKeyEvent(em, { at, actor, action: 'import.started', conversationId: null, keyVersion: null, detail })
}

export type Losses = Pick<ImportRow, 'unreadable' | 'blank'>

/** The place of an import: kept in the transaction of what was stored up to there. */
export class ImportPosition {
  readonly import: ImportRow
  #lines: number
  #losses: Losses
  #hash: Hash

  /** @param hash over the lines up to there */
  constructor(row: ImportRow, hash: Hash) {
    this.import = row
    this.#lines = row.lines
    this.#losses = { unreadable: row.unreadable, blank: row.blank }
    this.#hash = hash
  }

  get lines(): number {
    return this.#lines
  }

  /** Of all runs. */
  get losses(): Losses {
    return this.#losses
  }

  /**
   * Moves on behind lines, in the caller's transaction. Call the result once that has committed.
   *
   * @throws TransferError CONFLICT where somebody else has moved on meanwhile
   */
  async advance(
    em: EntityManager,
    lines: readonly Pick<SourceLine, 'number' | 'content'>[],
    messages: readonly Pick<MessageDraft, 'lost'>[] = []
  ): Promise<() => void> {
    const hash = this.#hash.copy()
    for (const line of lines) addLine(hash, line)
    const last = lines.at(-1)?.number ?? this.#lines
    const unreadable = messages.filter(({ lost }) => lost === 'UNREADABLE').length
    const blank = messages.filter(({ lost }) => lost === 'BLANK').length
    const place = [this.import.id, this.#lines, last]
    const moved = await runIn(em, ADVANCE, [...place, messages.length, unreadable, blank, hash.copy().digest()])
    if (moved.length === 0) throw new TransferError('CONFLICT', 'Another process works on the same import. Let it end.')
    return () => {
      this.#lines = last
      this.#losses = { unreadable: this.#losses.unreadable + unreadable, blank: this.#losses.blank + blank }
      this.#hash = hash
    }
  }
}

export function addLine(hash: Hash, { content }: Pick<SourceLine, 'content'>): void {
  hash.update(content).update('\n')
}

/**
 * Passes over the lines that are in already.
 *
 * @returns the position behind them; the lines are then at the first one that is not in
 * @throws TransferError CONFLICT where they are not those that were imported
 */
export async function skipImported(row: ImportRow, lines: AsyncIterator<SourceLine>): Promise<ImportPosition> {
  const hash = createHash('sha256')
  for (let number = 0; number < row.lines; ) {
    const next = await lines.next()
    if (next.done || next.value.number > row.lines) throw otherLines(row)
    addLine(hash, next.value)
    number = next.value.number
  }
  if (!hash.copy().digest().equals(row.hash)) throw otherLines(row)
  return new ImportPosition(row, hash)
}

function otherLines({ lines }: ImportRow): TransferError {
  return new TransferError(
    'CONFLICT',
    `The first ${lines} lines are not those that were imported under this name. Give another import another name.`
  )
}
