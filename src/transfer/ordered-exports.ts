import type { EntityManager } from '@mikro-orm/postgresql'
import { runIn, type Statement } from '../database/database.js'
import { addDuration } from '../duration.js'
import { BadUserInput, Conflict, NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { type KeyOperation, queueOperation } from '../key-life/key-operations.js'
import { lockConversation, requireRight } from '../membership/roles.js'
import type { Services } from '../services.js'
import { readRecipientKey } from './recipient-key.js'
import { TransferError } from './transfer-error.js'

/** How long an export waits to be fetched, from when it was asked for. */
const KEPT = 'P1D'

/** An export that an owner has asked for. */
export interface OrderedExport
  extends Pick<KeyOperation, 'id' | 'state' | 'total' | 'done' | 'error' | 'createdAt' | 'finishedAt'> {
  conversationId: string
  expiresAt: Date
}

// Of the one who has asked for it, as long as that one is the owner of a conversation that there is.
const FIND_EXPORT: Statement = {
  name: 'find-export',
  text: `
    select o.id, o.state, o.total, o.done, o.error, o.created_at as "createdAt", o.finished_at as "finishedAt",
           e.conversation_id as "conversationId", e.expires_at as "expiresAt"
      from exports e
      join key_operations o on o.id = e.operation_id
      join members m on m.conversation_id = e.conversation_id and m.user_id = e.requested_by and m.role = 'OWNER'
      join conversations c on c.id = e.conversation_id and c.deleted_at is null
     where e.operation_id = $1 and e.requested_by = $2 and e.expires_at > $3`
}

const NEXT_PARTS: Statement = {
  text: `
    select p.place, p.line from exports e
      join export_parts p on p.operation_id = e.operation_id and p.attempt = e.attempt and p.place > $2
     where e.operation_id = $1
     order by p.place limit $3`
}

/** Of how many conversations an owner may have exports that are under way, or wait to be fetched: of each the last one stays. */
const CONVERSATIONS_PER_OWNER = 10
/** First of the two numbers of a lock, the second being the owner's; locks of one number are others. */
const ORDERS_LOCK = 20_268

// Also of a conversation that is deleted, or not theirs any more, until it is dropped: it takes room.
const OTHERS: Statement = {
  text: `
    select count(distinct e.conversation_id)::integer as count, min(e.expires_at) as "firstExpiresAt"
      from exports e join key_operations o on o.id = e.operation_id
     where e.requested_by = $1 and e.conversation_id <> $2 and e.expires_at > $3
       and o.state in ('QUEUED', 'RUNNING', 'SUCCEEDED')`
}

/** Lines of some 87 KB that are read at a time. */
const PARTS_PAGE = 8

type OrderServices = Pick<Services, 'database' | 'clock' | 'jobs'>

/**
 * Has a worker export a conversation, as far as its owner sees it, for the holder of a private key.
 *
 * @param publicKeyPem of the recipient
 * @throws BadUserInput, NotFound, Forbidden; Conflict while another export of the conversation is under way, or where the
 * viewer has exports of too many others
 */
export async function orderExport(
  services: OrderServices,
  viewer: Viewer,
  conversationId: string,
  publicKeyPem: string
): Promise<OrderedExport> {
  await requireRecipient(publicKeyPem)
  const now = services.clock.now()
  const expiresAt = addDuration(now, KEPT)
  const operation = await services.database.transaction(async (em) => {
    await requireRight(em, conversationId, viewer, 'export the conversation')
    await requireRoom(em, viewer, conversationId, now)
    const { lastSequence } = await lockConversation(em, conversationId)
    const [member] = await em.execute<{ visibleAfter: number }[]>(
      'select visible_after as "visibleAfter" from members where conversation_id = ? and user_id = ?',
      [conversationId, viewer.id]
    )
    const visibleAfter = member?.visibleAfter ?? lastSequence
    const work = { kind: 'EXPORT' as const, actor: viewer.id, conversationId, keyVersion: null }
    const queued = await queueOperation(em, { ...work, total: lastSequence - visibleAfter, now })
    await em.execute(
      `insert into exports (operation_id, conversation_id, requested_by, recipient_key, visible_after, expires_at)
       values (?, ?, ?, ?, ?, ?)`,
      [queued.id, conversationId, viewer.id, publicKeyPem, visibleAfter, expiresAt]
    )
    return queued
  })
  services.jobs.nudge(operation)
  const { id, state, total, done, error, createdAt, finishedAt } = operation
  return { id, state, total, done, error, createdAt, finishedAt, conversationId, expiresAt }
}

/** What waits to be fetched lies in the database. @throws Conflict */
async function requireRoom(em: EntityManager, { id }: Viewer, conversationId: string, now: Date): Promise<void> {
  // Of one owner one at a time: two would not see each other.
  await em.execute('select pg_advisory_xact_lock(?, hashtext(?))', [ORDERS_LOCK, id])
  const [others] = await runIn<{ count: number; firstExpiresAt: string }>(em, OTHERS, [id, conversationId, now])
  if (!others || others.count < CONVERSATIONS_PER_OWNER) return
  throw new Conflict(
    `You have exports of ${others.count} other conversations, the most that may be under way or wait to be fetched. The first of them is dropped at ${new Date(others.firstExpiresAt).toISOString()}.`
  )
}

async function requireRecipient(pem: string): Promise<void> {
  try {
    await readRecipientKey(pem)
  } catch (error) {
    if (!(error instanceof TransferError)) throw error
    throw new BadUserInput('publicKeyPem', error.message)
  }
}

/** An export that the viewer has asked for; null where there is none, it has expired, or the viewer is no owner any more. */
export async function findExport(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  viewer: Viewer,
  id: string
): Promise<OrderedExport | null> {
  const [found] = await database.run<OrderedExport>(FIND_EXPORT, [id, viewer.id, clock.now()])
  return found ?? null
}

/** @throws NotFound */
export async function requireExport(
  services: Pick<Services, 'database' | 'clock'>,
  viewer: Viewer,
  id: string
): Promise<OrderedExport> {
  const found = await findExport(services, viewer, id)
  if (!found) throw new NotFound('export')
  return found
}

/** The lines of the file of a finished export, each with its line feed, as it is read. */
export async function* exportedLines(
  services: Pick<Services, 'database' | 'clock'>,
  viewer: Viewer,
  id: string
): AsyncGenerator<string> {
  let place = 0
  for (;;) {
    // Whoever is no owner any more gets no more of it.
    await requireExport(services, viewer, id)
    const rows = await services.database.run<{ place: number; line: string }>(NEXT_PARTS, [id, place, PARTS_PAGE])
    const last = rows.at(-1)
    if (!last) return
    for (const { line } of rows) yield line
    place = last.place
  }
}
