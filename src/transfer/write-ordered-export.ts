import { randomUUID } from 'node:crypto'
import { runIn, type Statement } from '../database/database.js'
import { KeyUnavailable, NotFound } from '../errors.js'
import type { KeyOperation } from '../key-life/key-operations.js'
import type { Step } from '../key-life/run-key-operation.js'
import type { Services } from '../services.js'
import { exportConversation } from './export-records.js'
import { readRecipientKey } from './recipient-key.js'

/** A worker that has not said anything for so long is taken for lost, and another begins anew. */
const LEASE_MS = 60_000
const REPORT_MS = 1_000
/** Of an export that fails for a reason that nobody has thought of, or whose workers are lost: it may be the export that loses them. */
const TRIES = 5
/** Before the second of them; four times as long before each further one, 85 minutes in all. */
const FIRST_PAUSE_MS = 60_000

const FIND: Statement = {
  text: `
    select conversation_id as "conversationId", recipient_key as "recipientKey", visible_after as "visibleAfter",
           attempt is not null as written
      from exports where operation_id = $1`
}

// The next step of an operation is nobody else's before that moment. Behind it another may take the lease from one that
// was only slow: whatever an attempt writes, it writes as the holder of the lease. The try counts before it is made:
// of one that takes its process with it nobody would tell. They are counted from what was looked up: where that is no
// longer so, it has to be looked up again.
const CLAIM: Statement = {
  text: `
    update key_operations
       set lease_holder = $4, next_step_at = $3, position = $5, done = 0, state = 'RUNNING',
           started_at = coalesce(started_at, $2)
     where id = $1 and finished_at is null and paused_at is null and (next_step_at is null or next_step_at <= $2)
       and position is not distinct from $6
    returning id`
}

const WRITE_PART: Statement = {
  name: 'write-export-part',
  text: `
    insert into export_parts (operation_id, attempt, place, line)
    select id, $2, $3, $4 from key_operations where id = $1 and lease_holder = $2
    returning place`
}

const HOLD: Statement = {
  text: `
    update key_operations set next_step_at = $4, done = $3
     where id = $1 and lease_holder = $2 and finished_at is null and paused_at is null returning id`
}

const RELEASE: Statement = {
  text: `
    update key_operations set next_step_at = null, lease_holder = null
     where id = $1 and lease_holder = $2 and finished_at is null
    returning id`
}

// The file takes the place of the one that its owner had of the conversation before.
const FINISH: Statement = {
  text: `
    with whole as (
      update exports e set attempt = $2 from key_operations o
       where e.operation_id = $1 and e.attempt is null
         and o.id = e.operation_id and o.lease_holder = $2 and o.finished_at is null
      returning e.operation_id, e.conversation_id, e.requested_by
    ), dropped as (
      delete from exports e using whole w, key_operations o
       where e.conversation_id = w.conversation_id and e.requested_by = w.requested_by
         and e.operation_id <> w.operation_id and o.id = e.operation_id and o.finished_at is not null
    )
    select operation_id from whole`
}

// Beside a file that is there every other attempt; without one only the attempt that ends, which nobody goes on with.
const CLEAR: Statement = {
  text: `
    delete from export_parts p using exports e
     where p.operation_id = $1 and e.operation_id = p.operation_id
       and p.attempt is distinct from e.attempt and (e.attempt is not null or p.attempt = $2)`
}

// What workers have left that were lost: whoever has the lease is the only one who writes. Null for nobody's to be kept.
const CLEAR_LOST: Statement = {
  text: `
    delete from export_parts p using exports e
     where p.operation_id = $1 and e.operation_id = p.operation_id
       and p.attempt is distinct from e.attempt and p.attempt is distinct from $2::uuid`
}

interface Order {
  conversationId: string
  recipientKey: string
  visibleAfter: number
  /** Whether its file is there. */
  written: boolean
}

/**
 * Writes the file of an export that was asked for, in one go: what is half written nobody can go on with, since the key
 * that it is under has been in one process only. A worker that is lost is followed by one that begins anew.
 */
export async function writeOrderedExport(
  services: Services,
  operation: KeyOperation,
  stop: AbortSignal
): Promise<Step | null> {
  const { database, clock } = services
  const { id } = operation
  // Its position is the number of tries.
  const nothing = { done: 0, failed: 0, position: operation.position }
  const tries = Number(operation.position ?? 0)
  const [order] = await database.run<Order>(FIND, [id])
  if (!order) return { ...nothing, outcome: 'FAILED', error: 'It was not fetched in time.' }
  if (order.written) return { ...nothing, outcome: 'SUCCEEDED' }
  if (tries >= TRIES) {
    await database.run(CLEAR_LOST, [id, null])
    services.log.error({ operation: id, tries }, 'an export is given up')
    return { ...nothing, outcome: 'FAILED', error: GIVEN_UP }
  }
  // Somebody else is at it: the operation itself says until when.
  const attempt = randomUUID()
  const claim = [id, clock.now(), lease(clock.now()), attempt, String(tries + 1), operation.position]
  if ((await database.run(CLAIM, claim)).length === 0) return null
  try {
    await database.run(CLEAR_LOST, [id, attempt])
    return {
      ...nothing,
      ...(await tryToWrite(services, operation, order, { attempt, tries: tries + 1 }, stop)),
      release: async (em) => (await runIn(em, RELEASE, [id, attempt])).length > 0
    }
  } finally {
    await database.run(CLEAR, [id, attempt])
  }
}

async function tryToWrite(
  services: Services,
  operation: KeyOperation,
  order: Order,
  { attempt, tries }: { attempt: string; tries: number },
  stop: AbortSignal
): Promise<Partial<Step>> {
  try {
    return await write(services, operation, order, attempt, stop)
  } catch (error) {
    if (error instanceof NotFound) return { outcome: 'FAILED', error: 'The conversation was deleted.' }
    if (!(error instanceof KeyUnavailable)) {
      services.log.error({ operation: operation.id, tries, reason: error }, 'an export could not be written')
      return failedTry(tries)
    }
    return { postponed: true, error: 'A master key is out of reach at present; it begins anew later.' }
  }
}

const GIVEN_UP = `It could not be written in ${TRIES} tries: the log of the workers says why. Ask for it again once that is mended.`

/** What the error says is for the log alone: it may come from anywhere. */
function failedTry(tries: number): Partial<Step> {
  const position = String(tries)
  if (tries >= TRIES) return { position, outcome: 'FAILED', error: GIVEN_UP }
  const error = `It could not be written (try ${tries} of ${TRIES}); it begins anew later.`
  return { position, postponed: true, pauseMs: FIRST_PAUSE_MS * 4 ** (tries - 1), error }
}

/** @returns no outcome where the lease was lost: whoever has it now, or has written the file, is found by the next step */
async function write(
  services: Services,
  { id, actor }: KeyOperation,
  { conversationId, recipientKey, visibleAfter }: Order,
  attempt: string,
  stop: AbortSignal
): Promise<Partial<Step>> {
  const { database } = services
  const progress = new Progress(services, id, attempt)
  const recipient = await readRecipientKey(recipientKey)
  const order = { actor, recipient, report: (_: number, messages: number) => progress.note(messages) }
  let place = 0
  for await (const line of exportConversation(services, conversationId, order, visibleAfter)) {
    if ((await database.run(WRITE_PART, [id, attempt, ++place, line])).length === 0) return {}
    if (stop.aborted || !(await progress.hold())) return { postponed: true }
  }
  if ((await database.run(FINISH, [id, attempt])).length === 0) return {}
  // What was noted on the way is in the operation's row already.
  return { done: progress.messages - progress.told, outcome: 'SUCCEEDED' }
}

/** Says how far it is, once a second, and so that it is still at it. */
class Progress {
  readonly #services: Services
  readonly #id: string
  readonly #attempt: string
  #toldAt = performance.now()
  messages = 0
  told = 0

  constructor(services: Services, id: string, attempt: string) {
    this.#services = services
    this.#id = id
    this.#attempt = attempt
  }

  note(messages: number): void {
    this.messages = messages
  }

  /** @returns false where the operation was cancelled or paused, or another attempt has the lease */
  async hold(): Promise<boolean> {
    if (performance.now() - this.#toldAt < REPORT_MS) return true
    this.#toldAt = performance.now()
    const { database, clock, signals } = this.#services
    const held = await database.run(HOLD, [this.#id, this.#attempt, this.messages, lease(clock.now())])
    this.told = this.messages
    signals.publish(`operation:${this.#id}`)
    return held.length > 0
  }
}

function lease(now: Date): Date {
  return new Date(now.getTime() + LEASE_MS)
}
