import { appendKeyEvent } from '../conversation-key/key-events.js'
import { runIn, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { type Batch, importBatches } from './import-batches.js'
import { ImportIds } from './import-ids.js'
import { beginImport, type ImportPosition, type ImportRow, type Losses, skipImported } from './import-position.js'
import type { ImportSource } from './import-source.js'
import { storeConversation } from './store-conversation.js'
import { storeDrafts } from './store-drafts.js'
import { storePeople } from './store-people.js'
import { TransferError } from './transfer-error.js'

export type ImportServices = Pick<
  Services,
  'database' | 'keySupply' | 'keyDefaultsId' | 'users' | 'signals' | 'clock' | 'config' | 'metrics'
>

export interface ImportOrder {
  /** `operator:…`, for the audit trail. */
  actor: string
  /** Told once, before anything is stored, behind which line it begins. */
  begun?: (lines: number) => void
  /** Told after each batch that was committed. */
  report?: (progress: ImportProgress) => void
  /** Ends it between two batches; it goes on from there when it is run again. */
  stop?: AbortSignal
}

/** With the losses of this run and those before. */
export interface ImportProgress extends Losses {
  /** Number of the last line that is in. */
  lines: number
  /** Messages that this run has stored. */
  messages: number
}

export interface ImportOutcome extends ImportProgress {
  /** Number of the line behind which this run began. */
  resumedBehind: number
  /** Whether the source was read to its end. */
  finished: boolean
}

const FINISH: Statement = { text: 'update imports set finished_at = $2 where id = $1' }

const WITHOUT_OWNER: Statement = {
  text: `
    select i.conversation_id as id from imported_conversations i
      join conversations c on c.id = i.conversation_id and c.deleted_at is null
     where i.import_id = $1
       and not exists (select from members m where m.conversation_id = i.conversation_id and m.role = 'OWNER')
     limit 1`
}

/**
 * Imports records: encrypts what is in them and stores it in the order of their lines. Run again with the same source it
 * goes on behind the last line that is in, and changes nothing where all of them are.
 *
 * @throws TransferError with the line at fault; what stands before it, or before its batch, is in
 */
export async function importRecords(
  services: ImportServices,
  source: ImportSource,
  order: ImportOrder
): Promise<ImportOutcome> {
  const { config, clock } = services
  const row = await beginImport(services, source.name, order.actor)
  const lines = source.lines[Symbol.asyncIterator]()
  try {
    const position = await skipImported(row, lines)
    order.begun?.(row.lines)
    const limits = {
      ids: new ImportIds(source.name),
      clock,
      maxBodyBytes: config.maxBodyBytes,
      maxMessages: config.dataKeyMaxMessages,
      takesBlank: source.takesBlank ?? false
    }
    let messages = 0
    const progress = () => ({ lines: position.lines, messages, ...position.losses })
    for await (const batch of oneAhead(importBatches(lines, limits))) {
      if (order.stop?.aborted) return { ...progress(), resumedBehind: row.lines, finished: false }
      await storeBatch(services, position, batch, order.actor)
      if (batch.kind === 'MESSAGES') messages += batch.drafts.length
      order.report?.(progress())
    }
    await finish(services, row, position, order.actor)
    return { ...progress(), resumedBehind: row.lines, finished: true }
  } finally {
    await lines.return?.()
  }
}

async function storeBatch(
  services: ImportServices,
  position: ImportPosition,
  batch: Batch,
  actor: string
): Promise<void> {
  if (batch.kind === 'CONVERSATION') await storeConversation(services, position, batch, actor)
  else if (batch.kind === 'PEOPLE') await storePeople(services, position, batch)
  else await storeDrafts(services, position, batch)
}

/** Reads and checks the next batch while the database stores one. */
async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = items.next()
      // Heard of when its turn comes.
      next.catch(() => {})
      yield value
    }
  } finally {
    await next.catch(() => {})
    await items.return(undefined)
  }
}

async function finish(
  services: ImportServices,
  row: ImportRow,
  position: ImportPosition,
  actor: string
): Promise<void> {
  const { database, clock } = services
  if (row.finishedAt && position.lines === row.lines) return
  const [ownerless] = await database.run<{ id: string }>(WITHOUT_OWNER, [row.id])
  if (ownerless) {
    throw new TransferError(
      'CONFLICT',
      `All lines are in, and the conversation ${ownerless.id} has no owner. Add a line of the type member with the role OWNER, and run it again.`
    )
  }
  const at = clock.now()
  // Together: an import that has finished is not finished again, and its event would be missing for ever.
  await database.transaction(async (em) => {
    await runIn(em, FINISH, [row.id, at])
    await appendKeyEvent(em, {
      at,
      actor,
      action: 'import.finished',
      conversationId: null,
      keyVersion: null,
      detail: `id=${row.id} lines=${position.lines}`
    })
  })
}
