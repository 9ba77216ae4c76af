import type { Statement } from '../database/database.js'
import type { ConversationKey } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'

const keysOfMember = (name: string, condition: string): Statement => ({
  name,
  text: `
    select k.conversation_id as "conversationId", k.version, k.key_id as "keyId", k.state,
           k.modulus_bits as "modulusBits", k.public_key as "publicKey",
           k.wrapped_private_key as "wrappedPrivateKey", k.master_key as "masterKey",
           k.rotation_reason as "rotationReason", k.created_at as "createdAt", k.activated_at as "activatedAt",
           k.rotates_at as "rotatesAt", k.deactivated_at as "deactivatedAt", k.destroys_at as "destroysAt", k.destroyed_at as "destroyedAt"
      from conversation_keys k
      join members m on m.conversation_id = k.conversation_id and m.user_id = $2
     where k.conversation_id = $1 and ${condition}
     order by k.version`
})
export const LIST_KEYS = keysOfMember('list-keys', 'true')
export const ACTIVE_KEY = keysOfMember('active-key', "k.state = 'ACTIVE'")

/** Key versions of a conversation that the viewer is in, ascending. */
export async function listKeys(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<ConversationKey[]> {
  return await database.run(LIST_KEYS, [conversationId, viewer.id])
}

/** @throws NotFound when the viewer is no longer in the conversation */
export async function activeKey(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  conversationId: string
): Promise<ConversationKey> {
  const [key] = await database.run<ConversationKey>(ACTIVE_KEY, [conversationId, viewer.id])
  if (!key) throw new NotFound('conversation')
  return key
}
