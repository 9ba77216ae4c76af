import { LockMode } from '@mikro-orm/core'
import type { EntityManager } from '@mikro-orm/postgresql'
import type { Database, Statement } from '../database/database.js'
import { ConversationEntity } from '../database/entities.js'
import type { Services } from '../services.js'
import { applyExpiry, applyRotation } from './apply-policy.js'
import { appendKeyEvent, SCHEDULER } from './key-events.js'
import { describePolicy, effectivePolicy, type KeyPolicy } from './key-policy.js'

/** Any number will do, as long as it stays the same. */
const DEFAULTS_LOCK = 20_265

const NEWEST = 'select id, policy = ?::jsonb as same from key_policy_defaults order by id desc limit 1'

/**
 * Notes the deployment's defaults where they differ from those noted last: the worker then takes them to every
 * conversation. While processes with different defaults run, those that started last count.
 *
 * @returns the number of this process's defaults
 */
export async function registerKeyDefaults(
  { database, now }: { database: Database; now: Date },
  defaults: KeyPolicy
): Promise<number> {
  return await database.transaction(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?)', [DEFAULTS_LOCK])
    const policy = JSON.stringify(defaults)
    const [newest] = await em.execute<{ id: number; same: boolean }[]>(NEWEST, [policy])
    if (newest?.same) return newest.id
    const insert = 'insert into key_policy_defaults (policy, since) values (?, ?) returning id'
    const [added] = await em.execute<{ id: number }[]>(insert, [policy, now])
    const nothing = { conversationId: null, keyVersion: null }
    const detail = describePolicy(defaults)
    await appendKeyEvent(em, { at: now, actor: SCHEDULER, action: 'key.defaults-set', ...nothing, detail })
    return added?.id ?? 0
  })
}

export const BEHIND_DEFAULTS: Statement = {
  name: 'conversations-with-older-defaults',
  text: `
    select id, key_defaults_id as "keyDefaultsId" from conversations
     where key_defaults_id < $1 and deleted_at is null
       and $1 = (select max(id) from key_policy_defaults)
       and (key_defaults_id, id) > ($2, $3::uuid)
     order by key_defaults_id, id limit $4`
}

/** A conversation with older defaults than this process has. */
export interface BehindDefaults {
  id: string
  keyDefaultsId: number
}

/**
 * Conversations to which this process's defaults were not applied yet, from the one after `after` on; none where
 * newer ones are known.
 */
export async function findBehindDefaults(
  { database, keyDefaultsId }: Pick<Services, 'database' | 'keyDefaultsId'>,
  limit: number,
  after: BehindDefaults | null
): Promise<BehindDefaults[]> {
  const position = [after?.keyDefaultsId ?? -1, after?.id ?? '00000000-0000-0000-0000-000000000000']
  return await database.run(BEHIND_DEFAULTS, [keyDefaultsId, ...position, limit])
}

/** Applies the deployment's defaults to the keys of a conversation, as far as it has set nothing for itself. */
export async function applyDefaults(
  { database, clock, config, keyDefaultsId }: Pick<Services, 'database' | 'clock' | 'config' | 'keyDefaultsId'>,
  conversationId: string
): Promise<void> {
  await database.transaction(async (em) => {
    const conversation = await lockBehind(em, conversationId, keyDefaultsId)
    if (!conversation) return
    const policy = effectivePolicy(config.keyPolicy, conversation.keyPolicy)
    await applyRotation(em, conversation, policy, clock.now())
    if (conversation.keyPolicy.destroyAfter === undefined) await applyExpiry(em, conversation, policy, 'UNKEPT')
    await em.nativeUpdate(ConversationEntity, { id: conversationId }, { keyDefaultsId })
  })
}

async function lockBehind(em: EntityManager, id: string, keyDefaultsId: number) {
  const behind = { id, deletedAt: null, keyDefaultsId: { $lt: keyDefaultsId } }
  return await em.findOne(ConversationEntity, behind, { lockMode: LockMode.PESSIMISTIC_WRITE })
}
