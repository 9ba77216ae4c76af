import type { Statement } from '../database/database.js'
import type { ConversationKey } from '../database/entities.js'
import { QueryTooComplex } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

/** What is shown of a key version `conversation_keys k`: all but the wrapped private key. */
export const KEY_COLUMNS = `
  k.conversation_id as "conversationId", k.version, k.key_id as "keyId", k.state, k.modulus_bits as "modulusBits",
  k.public_key as "publicKey", k.master_key as "masterKey", k.rotation_reason as "rotationReason",
  k.created_at as "createdAt", k.activated_at as "activatedAt", k.rotates_at as "rotatesAt",
  k.deactivated_at as "deactivatedAt", k.destroys_at as "destroysAt", k.destroyed_at as "destroyedAt"`

/** Of key versions that one look-up of a query reads: they come without pages, and a query's cost counts fields. */
export const MAX_KEYS = 10_000

/** @param keys of a statement that ends with the first one that is too much */
export function requireFewKeys(keys: ConversationKey[]): ConversationKey[] {
  if (keys.length > MAX_KEYS) throw new QueryTooComplex('keys', MAX_KEYS, keys.length)
  return keys
}

const keysOfMember = (name: string, condition: string): Statement => ({
  name,
  text: `
    select ${KEY_COLUMNS}
      from conversation_keys k
      join members m on m.conversation_id = k.conversation_id and m.user_id = $2
     where k.conversation_id = any((select $1)::uuid[]) and ${condition}
     order by k.conversation_id, k.version
     limit ${MAX_KEYS + 1}`
})
export const LIST_KEYS = keysOfMember('list-keys', 'true')
export const ACTIVE_KEYS = keysOfMember('active-keys', "k.state = 'ACTIVE'")

/** Key versions of those of the conversations that the viewer is in: ascending, by conversation. @throws QueryTooComplex for more than {@link MAX_KEYS} */
export async function listKeys(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationIds: readonly string[]
): Promise<Map<string, ConversationKey[]>> {
  const keys = requireFewKeys(await database.run<ConversationKey>(LIST_KEYS, [conversationIds, viewer.id]))
  return Map.groupBy(keys, (key) => key.conversationId)
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
