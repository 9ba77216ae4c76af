import { LockMode } from '@mikro-orm/core'
import type { EntityManager } from '@mikro-orm/postgresql'
import type { Database, Statement } from '../database/database.js'
import { type Conversation, ConversationEntity, type RotationReason } from '../database/entities.js'
import { addDuration } from '../duration.js'
import { KeyUnavailable } from '../errors.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { activateNextVersion } from './activate-version.js'
import { appendKeyEvent, SCHEDULER } from './key-events.js'

/** How long a key that is due serves on at a time, where no other can be had. */
const POSTPONED = 'PT1M'

type RotateServices = Pick<Services, 'keySupply' | 'keyDefaultsId' | 'clock' | 'config'>

export const DUE_ROTATIONS: Statement = {
  name: 'due-rotations',
  text: `
    select id, key_rotates_at as "rotatesAt" from conversations
     where key_used and key_rotates_at is not null and deleted_at is null and key_rotates_at <= $1
       and (key_rotates_at, id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
     order by key_rotates_at, id limit $4`
}

/** A conversation whose active key is due and was used. */
export interface DueRotation {
  id: string
  rotatesAt: Date
}

/** Due rotations, those longest overdue first, from the one after `after` on. */
export async function findDueRotations(
  { database, now }: { database: Database; now: Date },
  limit: number,
  after: DueRotation | null
): Promise<DueRotation[]> {
  return await database.run(DUE_ROTATIONS, [now, after?.rotatesAt ?? null, after?.id ?? null, limit])
}

/**
 * Rotates the key of a conversation if it is due now.
 *
 * @param others what to do while another transaction has the conversation: a worker goes on to the next, a
 * send waits, and finds the key rotated
 * @param pool as of {@link KeySupply.withKeyPair}
 * @returns whether this call rotated it
 */
export async function rotateIfDue(
  services: RotateServices,
  conversationId: string,
  others: 'SKIP' | 'WAIT',
  pool: { ahead?: boolean } = {}
): Promise<boolean> {
  const { clock, keySupply } = services
  const lockMode = others === 'SKIP' ? LockMode.PESSIMISTIC_PARTIAL_WRITE : LockMode.PESSIMISTIC_WRITE
  return await keySupply.withKeyPair(async (em, takePair) => {
    const conversation = await em.findOne(ConversationEntity, { id: conversationId, deletedAt: null }, { lockMode })
    const now = clock.now()
    const reason = conversation && dueReason(conversation, now)
    if (!reason) return false
    await activateNextVersion(em, conversation, await takePair(), services, { reason, now, actor: SCHEDULER })
    return true
  }, pool)
}

/**
 * For a send: rotates the key first if it is due. Where no other key can be had, because the pool is empty and the
 * master key out of reach, the one that is due serves a little longer: an outage of a key service stops no send.
 */
export async function rotateOrPostpone(
  services: RotateServices & Pick<Services, 'database'>,
  conversationId: string
): Promise<void> {
  try {
    await rotateIfDue(services, conversationId, 'WAIT')
  } catch (error) {
    if (!(error instanceof KeyUnavailable)) throw error
    await services.database.transaction((em) => postpone(em, conversationId, services.clock.now()))
  }
}

async function postpone(em: EntityManager, conversationId: string, now: Date): Promise<void> {
  const conversation = await lockConversation(em, conversationId)
  const reason = dueReason(conversation, now)
  if (!reason) return
  const keyRotatesAt = addDuration(now, POSTPONED)
  await em.nativeUpdate(ConversationEntity, { id: conversationId }, { keyRotatesAt })
  const detail = `reason=${reason} until=${keyRotatesAt.toISOString()}`
  const event = { at: now, actor: SCHEDULER, conversationId, keyVersion: conversation.activeKeyVersion, detail }
  await appendKeyEvent(em, { ...event, action: 'key.rotation-postponed' })
}

function dueReason(conversation: Conversation, now: Date): RotationReason | null {
  const { keyUsed, keyRotatesAt, keyMessageLimit, keyMessages } = conversation
  if (!keyUsed || !keyRotatesAt || keyRotatesAt > now) return null
  return keyMessageLimit !== null && keyMessages >= keyMessageLimit ? 'MESSAGE_LIMIT' : 'SCHEDULED'
}
