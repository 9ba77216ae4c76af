import type { EntityManager } from '@mikro-orm/postgresql'
import { runIn, type Statement } from '../database/database.js'
import type { Services } from '../services.js'
import type { Batch, MemberDraft } from './import-batches.js'
import type { ImportPosition } from './import-position.js'
import { TransferError } from './transfer-error.js'

/** In one order everywhere, as users.ts has it. A name that somebody came with is theirs; one that is only the id is not. */
const STORE_USERS: Statement = {
  text: `
    insert into users as u (id, name, created_at)
    select distinct on (d.id) d.id, d.name, $3::timestamptz from unnest($1::text[], $2::text[]) as d (id, name) order by d.id
    on conflict (id) do update set name = excluded.name where u.name = u.id`
}

const STORE_MEMBERS: Statement = {
  text: `
    insert into members (conversation_id, user_id, role, joined_at, visible_after, joined_change, last_read_sequence)
    select c.id, d.user_id, d.role, d.joined_at, least(d.visible_after, c.last_sequence), c.last_change,
           least(d.last_read_sequence, c.last_sequence)
      from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[], $7::integer[])
        as d (conversation_id, user_id, role, joined_at, visible_after, last_read_sequence)
      join imported_conversations i on i.conversation_id = d.conversation_id and i.import_id = $1
      join conversations c on c.id = d.conversation_id
        on conflict do nothing
    returning conversation_id as "conversationId", user_id as "userId"`
}

type StoreServices = Pick<Services, 'database' | 'users' | 'signals' | 'clock'>

/** Stores users and members. @throws TransferError LINE for a member twice, or of a conversation of another import */
export async function storePeople(
  { database, users, signals, clock }: StoreServices,
  position: ImportPosition,
  { lines, users: named, members }: Extract<Batch, { kind: 'PEOPLE' }>
): Promise<void> {
  const now = clock.now()
  const advanced = await database.transaction(async (em) => {
    if (named.length > 0) {
      await runIn(em, STORE_USERS, [named.map(({ id }) => id), named.map(({ name }) => name), now])
    }
    await users.ensure(em, [...new Set(members.map(({ userId }) => userId))])
    if (members.length > 0) await storeMembers(em, position.import.id, members, now)
    return await position.advance(em, lines)
  })
  advanced()
  for (const userId of new Set(members.map((member) => member.userId))) signals.publish(`user:${userId}`)
}

async function storeMembers(em: EntityManager, importId: string, members: MemberDraft[], now: Date): Promise<void> {
  const stored = await runIn<{ conversationId: string; userId: string }>(em, STORE_MEMBERS, [
    importId,
    members.map(({ conversationId }) => conversationId),
    members.map(({ userId }) => userId),
    members.map(({ role }) => role),
    members.map(({ joinedAt }) => joinedAt ?? now.toISOString()),
    members.map(({ visibleAfter }) => visibleAfter),
    members.map(({ lastReadSequence }) => lastReadSequence)
  ])
  const left = new Set(stored.map(nameOf))
  const refused = members.find((member) => !left.delete(nameOf(member)))
  if (!refused) return
  throw new TransferError(
    'LINE',
    'This user is a member already, or the conversation is none that this import has begun.',
    refused.line.number
  )
}

function nameOf({ conversationId, userId }: { conversationId: string; userId: string }): string {
  return `${conversationId} ${userId}`
}
