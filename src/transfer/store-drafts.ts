import type { EntityManager } from '@mikro-orm/postgresql'
import { type NewDataKey, newDataKey } from '../conversation-key/new-data-key.js'
import { rotateOrPostpone } from '../conversation-key/rotate-due.js'
import { COUNT_KEY_USES } from '../conversation-key/sending-keys.js'
import { messageAssociatedData } from '../crypto/associated-data.js'
import { encryptContent } from '../crypto/content-encryption.js'
import { runIn, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import { explainRefusal } from './explain-refusal.js'
import type { Batch, MessageDraft } from './import-batches.js'
import type { ImportPosition } from './import-position.js'
import { TransferError } from './transfer-error.js'

// As a send does: the policy of the key holds for what is imported, too.
const IMPORT_KEY_STATE: Statement = {
  name: 'import-key-state',
  text: `
    select c.active_key_version as version, k.public_key as "publicKey",
           c.key_used and c.key_rotates_at is not null and c.key_rotates_at <= $3 as "isDue",
           case when c.key_messages < c.key_message_limit then c.key_message_limit - c.key_messages end as room
      from imported_conversations i
      join conversations c on c.id = i.conversation_id and c.deleted_at is null
      join conversation_keys k on k.conversation_id = c.id and k.version = c.active_key_version
     where i.conversation_id = $1 and i.import_id = $2`
}

interface KeyState {
  version: number
  /** DER SubjectPublicKeyInfo. */
  publicKey: Buffer
  isDue: boolean
  /** Messages until the key is due; null for any number. */
  room: number | null
}

const LOCK: Statement = {
  text: `
    select last_sequence as "lastSequence", last_change::float8 as "lastChange", active_key_version as version,
           exists (select from members m where m.conversation_id = $1) as "hasMembers"
      from conversations where id = $1 and deleted_at is null for no key update`
}

interface Locked {
  lastSequence: number
  lastChange: number
  version: number
  hasMembers: boolean
}

const STORE: Statement = {
  text: `
    with draft as (
      select d.*, 1 + sum(d.bytes) over (order by d.place) - d.bytes as start
        from unnest($6::uuid[], $7::text[], $8::text[], $9::text[], $10::uuid[], $11::integer[], $12::timestamptz[],
                    $13::timestamptz[], $14::timestamptz[], $15::integer[]) with ordinality
          as d (id, kind, sender_id, client_message_id, reply_to_id, revision, created_at, edited_at, deleted_at, bytes, place)
    )
    insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id, envelope, revision,
                          created_change, change, reply_to_id, created_at, edited_at, deleted_at)
    select $1::uuid, $2::integer + d.place, d.id, d.kind, d.sender_id, d.client_message_id, $4::uuid,
           case when d.bytes > 0 then substr($5::bytea, d.start::integer, d.bytes) end, d.revision,
           $3::bigint + d.place, $3::bigint + d.place, d.reply_to_id, d.created_at, d.edited_at, d.deleted_at
      from draft d order by d.place`
}

const STORE_DATA_KEY: Statement = {
  text: `
    insert into data_keys (conversation_id, id, key_version, wrapped_key, created_at, message_count)
    values ($1, $2, $3, $4, $5, $6)`
}

const COUNT: Statement = {
  text: `
    update conversations c
       set last_sequence = c.last_sequence + $2, last_change = c.last_change + $2,
           last_activity_at = greatest(c.last_activity_at, $5::timestamptz), ${COUNT_KEY_USES('$3::integer', '$4::timestamptz')}
     where c.id = $1`
}

type StoreServices = Pick<
  Services,
  'database' | 'keySupply' | 'keyDefaultsId' | 'users' | 'signals' | 'clock' | 'config' | 'metrics'
>

/**
 * Encrypts messages of one conversation and stores them in their order, under a data key of their own. As many as fit
 * under the key go in one transaction, which also moves the position on.
 *
 * @throws TransferError LINE or CONFLICT for the first one that cannot be stored; its transaction has changed nothing
 */
export async function storeDrafts(
  services: StoreServices,
  position: ImportPosition,
  { conversationId, drafts }: Extract<Batch, { kind: 'MESSAGES' }>
): Promise<void> {
  let rest = drafts
  try {
    while (rest.length > 0) {
      const state = await usableKey(services, position, conversationId, rest)
      const part = rest.slice(0, state.room ?? rest.length)
      if (await storePart(services, position, conversationId, part, state)) rest = rest.slice(part.length)
    }
  } finally {
    for (const { body } of drafts) body?.fill(0)
  }
  services.signals.publish(`conversation:${conversationId}`)
}

/** @throws TransferError CONFLICT where the conversation is none that this import has begun */
async function usableKey(
  services: StoreServices,
  position: ImportPosition,
  conversationId: string,
  [first]: readonly MessageDraft[]
): Promise<KeyState> {
  for (;;) {
    const values = [conversationId, position.import.id, services.clock.now()]
    const [state] = await services.database.run<KeyState>(IMPORT_KEY_STATE, values)
    if (!state) {
      const problem =
        'The conversation is none that this import has begun: a line of the type conversation goes before.'
      throw new TransferError('CONFLICT', problem, first?.line.number)
    }
    if (!state.isDue) return state
    await rotateOrPostpone(services, conversationId)
  }
}

/** @returns false where the key was rotated meanwhile */
async function storePart(
  services: StoreServices,
  position: ImportPosition,
  conversationId: string,
  part: MessageDraft[],
  state: KeyState
): Promise<boolean> {
  const key = newDataKey(state.publicKey, services.metrics)
  const envelopes = part.map((draft) => seal(conversationId, draft, key))
  const senders = new Set(part.flatMap(({ senderId }) => senderId ?? []))
  try {
    const advanced = await services.database.transaction(async (em) => {
      await services.users.ensure(em, [...senders])
      const [locked] = await runIn<Locked>(em, LOCK, [conversationId])
      if (locked?.version !== state.version) return null
      requireNoMembers(part, locked.hasMembers)
      requireInOrder(part, locked.lastSequence)
      await storeRows(services, em, conversationId, part, { ...locked, key, envelopes })
      return await position.advance(
        em,
        part.map(({ line }) => line),
        part
      )
    })
    advanced?.()
    return advanced !== null
  } catch (error) {
    throw (await explainRefusal(services, conversationId, part, error)) ?? error
  }
}

function seal(conversationId: string, draft: MessageDraft, { id: dataKeyId, dataKey }: NewDataKey): Buffer | null {
  const { body, id: messageId, senderId, revision } = draft
  if (body === null) return null
  return encryptContent(
    dataKey,
    body,
    messageAssociatedData({ conversationId, messageId, senderId, dataKeyId, revision })
  )
}

/** What a member does not see ends at the last message that there is when the member comes: none may follow. */
function requireNoMembers([first]: readonly MessageDraft[], hasMembers: boolean): void {
  if (!hasMembers) return
  const problem = 'The members of the conversation stand before this message: they go behind the last one.'
  throw new TransferError('LINE', problem, first?.line.number)
}

function requireInOrder(part: readonly MessageDraft[], lastSequence: number): void {
  const wrong = part.findIndex(({ sequence }, index) => sequence !== null && sequence !== lastSequence + index + 1)
  const draft = part[wrong]
  if (!draft) return
  const expected = lastSequence + wrong + 1
  throw new TransferError(
    'LINE',
    `The message has the sequence ${draft.sequence}, and ${expected} is next.`,
    draft.line.number
  )
}

async function storeRows(
  { clock }: Pick<Services, 'clock'>,
  em: EntityManager,
  conversationId: string,
  part: MessageDraft[],
  under: { lastSequence: number; lastChange: number; version: number; key: NewDataKey; envelopes: (Buffer | null)[] }
): Promise<void> {
  const { lastSequence, lastChange, version, key, envelopes } = under
  const now = clock.now()
  const sealed = envelopes.filter((envelope) => envelope !== null)
  await runIn(em, STORE_DATA_KEY, [conversationId, key.id, version, key.wrappedKey, now, sealed.length])
  const instants = (name: 'createdAt' | 'editedAt' | 'deletedAt') =>
    part.map((draft) => draft[name]?.toISOString() ?? null)
  await runIn(em, STORE, [
    ...[conversationId, lastSequence, lastChange, key.id, Buffer.concat(sealed)],
    part.map(({ id }) => id),
    part.map(({ kind }) => kind),
    part.map(({ senderId }) => senderId),
    part.map(({ clientMessageId }) => clientMessageId),
    part.map(({ replyToId }) => replyToId),
    part.map(({ revision }) => revision),
    ...[instants('createdAt'), instants('editedAt'), instants('deletedAt')],
    envelopes.map((envelope) => envelope?.length ?? 0)
  ])
  const latest = new Date(part.reduce((ms, { createdAt }) => Math.max(ms, createdAt.getTime()), 0))
  await runIn(em, COUNT, [conversationId, part.length, sealed.length, now, latest])
}
