import type { Statement } from '../database/database.js'
import type { ConversationKey } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** What is shown of a key version `conversation_keys k`: all but the wrapped private key. */
export const KEY_COLUMNS = `
  k.conversation_id as "conversationId", k.version, k.key_id as "keyId", k.state, k.modulus_bits as "modulusBits",
  k.public_key as "publicKey", k.master_key as "masterKey", k.rotation_reason as "rotationReason",
  k.created_at as "createdAt", k.activated_at as "activatedAt", k.rotates_at as "rotatesAt",
  k.deactivated_at as "deactivatedAt", k.destroys_at as "destroysAt", k.destroyed_at as "destroyedAt"`

/** Some of the key versions that lie between two others, neither of which is among them. */
export interface KeyRange {
  /** How many of them, counted from where. Null for all. */
  size: number | null
  from: 'START' | 'END'
  after: number | null
  before: number | null
}

/** A range of the key versions of one conversation. */
export interface KeyPage extends KeyRange {
  conversationId: string
}

/** The largest that its column takes. */
const MAX_VERSION = 2 ** 31 - 1

export const ALL_KEYS: KeyRange = { size: null, from: 'START', after: null, before: null }

/** @param whose join with those of the `wanted` pages that are answered */
const keyPages = (name: string, whose: string): Statement => ({
  name,
  text: `
    select wanted.place::integer, k.*
      from unnest((select $1)::uuid[], (select $2)::integer[], (select $3)::integer[], (select $4)::integer[], (select $5)::integer[])
             with ordinality as wanted (conversation_id, after, before, first, last, place)
           ${whose}
     cross join lateral (
       (select ${KEY_COLUMNS} from conversation_keys k
         where k.conversation_id = wanted.conversation_id and k.version > wanted.after and k.version < wanted.before
         order by k.version limit wanted.first)
       union all
       (select ${KEY_COLUMNS} from conversation_keys k
         where k.conversation_id = wanted.conversation_id and k.version > wanted.after and k.version < wanted.before
         order by k.version desc limit wanted.last)) k
     order by wanted.place, k.version`
})
export const LIST_KEYS = keyPages(
  'list-keys',
  'join members v on v.conversation_id = wanted.conversation_id and v.user_id = $6'
)
const KEYS_OF_ANY = keyPages('keys-of-any', '')

export const ACTIVE_KEYS: Statement = {
  name: 'active-keys',
  text: `
    select ${KEY_COLUMNS}
      from conversation_keys k
      join members m on m.conversation_id = k.conversation_id and m.user_id = $2
     where k.conversation_id = any((select $1)::uuid[]) and k.state = 'ACTIVE'
     order by k.conversation_id, k.version`
}

/**
 * Key versions, ascending; none of conversations that the viewer is not in.
 *
 * @returns in the order of the pages
 */
export async function listKeys(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  pages: readonly KeyPage[]
): Promise<ConversationKey[][]> {
  const rows = await database.run<ConversationKey & { place: number }>(LIST_KEYS, [...valuesOf(pages), viewer.id])
  const found = Map.groupBy(rows, ({ place }) => place)
  return pages.map((_, index) => found.get(index + 1) ?? [])
}

/** Key versions of any conversation, ascending, for auditors and operators; none for one that does not exist. */
export async function listKeysOf(
  { database }: Pick<Services, 'database'>,
  conversationId: string,
  range: KeyRange
): Promise<ConversationKey[]> {
  return await database.run(KEYS_OF_ANY, valuesOf([{ conversationId, ...range }]))
}

function valuesOf(pages: readonly KeyPage[]): unknown[] {
  return [
    pages.map(({ conversationId }) => conversationId),
    pages.map(({ after }) => after ?? 0),
    pages.map(({ before }) => before ?? MAX_VERSION),
    pages.map(({ from, size }) => (from === 'START' ? size : 0)),
    pages.map(({ from, size }) => (from === 'END' ? size : 0))
  ]
}

/** The active key version of those of the conversations that the viewer is in. */
export async function activeKeys(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, ConversationKey>> {
  const keys = await database.run<ConversationKey>(ACTIVE_KEYS, [conversationIds, viewer.id])
  return new Map(keys.map((key) => [key.conversationId, key]))
}
