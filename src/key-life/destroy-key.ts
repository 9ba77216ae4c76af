import type { EntityManager } from '@mikro-orm/postgresql'
import { appendKeyEvent, SCHEDULER } from '../conversation-key/key-events.js'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { requireTransition } from '../conversation-key/key-states.js'
import type { Database, Statement } from '../database/database.js'
import { type ConversationKey, ConversationKeyEntity, type KeyState } from '../database/entities.js'
import { addDuration, type Duration, parseDuration } from '../duration.js'
import { BadUserInput, Conflict } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { lockConversation } from '../membership/roles.js'
import type { Services } from '../services.js'
import { moveTitle } from './move-title.js'

/** Who ends a key, when, and why: as the audit trail keeps it. */
export interface End {
  now: Date
  actor: string
  reason: 'REQUESTED' | 'EXPIRED' | 'GRACE_OVER' | 'COMPROMISED' | 'DELETED'
}

/** A version of a conversation, to be locked with it. */
export interface KeyVersion {
  conversationId: string
  version: number
}

/** Puts a version on the way to its destruction: it opens nothing any more, and can be restored until then. */
export async function scheduleKeyDestruction(
  services: Pick<Services, 'database' | 'clock' | 'metrics' | 'signals' | 'keyring' | 'log'>,
  viewer: Viewer,
  target: KeyVersion,
  after: string
): Promise<ConversationKey> {
  const key = await operate(services, viewer, 'scheduleKeyDestruction', target, async (em, found) => {
    const now = services.clock.now()
    const destroysAt = addDuration(now, requireAfter(after))
    requireTransition(found.state, 'PENDING_DESTRUCTION')
    await moveTitle(services, em, await lockConversation(em, target.conversationId), target.version)
    return await putOnTheWay(em, found, { now, actor: viewer.id, reason: 'REQUESTED', destroysAt })
  })
  services.signals.publish(`keys:${target.conversationId}`)
  return key
}

/** Takes a version back from the way to its destruction, to the state that it had before. */
export async function cancelKeyDestruction(
  services: Pick<Services, 'database' | 'clock' | 'config' | 'signals'>,
  viewer: Viewer,
  target: KeyVersion
): Promise<ConversationKey> {
  return await operate(services, viewer, 'cancelKeyDestruction', target, async (em, key) => {
    const before = key.stateBeforeDestruction
    if (key.state !== 'PENDING_DESTRUCTION' || !before) {
      throw new Conflict(
        key.state === 'DESTROYED'
          ? 'The key version is destroyed; it cannot be restored.'
          : 'The key version is not waiting for its destruction.'
      )
    }
    const now = services.clock.now()
    if (key.destroysAt && key.destroysAt <= now) throw new Conflict('The time to cancel the destruction is over.')
    requireTransition(key.state, before)
    // Restored by somebody's decision: it now stays until somebody decides again, or sets a policy.
    const restored = { state: before, stateBeforeDestruction: null, destroysAt: null, keptAt: now }
    await em.nativeUpdate(ConversationKeyEntity, target, restored)
    await record(em, key, {
      at: now,
      actor: viewer.id,
      action: 'key.destruction-cancelled',
      detail: `reason=REQUESTED state=${before}`
    })
    return { ...key, ...restored }
  })
}

async function operate(
  services: Pick<Services, 'database' | 'clock'>,
  viewer: Viewer,
  operation: string,
  target: KeyVersion,
  change: (em: EntityManager, key: ConversationKey) => Promise<ConversationKey>
): Promise<ConversationKey> {
  const asked = { operation, conversationId: target.conversationId, keyVersion: target.version }
  return await auditRefusal(services, viewer, asked, async () => {
    requireScope(viewer, 'keys:admin')
    return await services.database.transaction(async (em) => await change(em, await lockKey(em, target)))
  })
}

/** @throws BadUserInput when the conversation has no such version; NotFound when there is no such conversation */
export async function lockKey(em: EntityManager, { conversationId, version }: KeyVersion): Promise<ConversationKey> {
  await lockConversation(em, conversationId)
  const key = await em.findOne(ConversationKeyEntity, { conversationId, version })
  if (!key)
    throw new BadUserInput('version', 'The conversation has no key of this version; they are numbered 1, 2, 3 …')
  return key
}

/** @param key of a conversation that the caller has locked */
export async function putOnTheWay(
  em: EntityManager,
  key: ConversationKey,
  { destroysAt, ...end }: End & { destroysAt: Date }
): Promise<ConversationKey> {
  requireTransition(key.state, 'PENDING_DESTRUCTION')
  const pending = {
    state: 'PENDING_DESTRUCTION' as const,
    stateBeforeDestruction: key.state,
    destroysAt,
    keptAt: null
  }
  await em.nativeUpdate(ConversationKeyEntity, { conversationId: key.conversationId, version: key.version }, pending)
  const detail = `reason=${end.reason} destroysAt=${destroysAt.toISOString()}`
  await record(em, key, { at: end.now, actor: end.actor, action: 'key.destruction-scheduled', detail })
  return { ...key, ...pending }
}

// Overwritten, then nulled, in one transaction. What the database keeps of old row versions goes with its next
// vacuum; what its write-ahead log and its backups keep, with those.
const OVERWRITE = [
  `update data_keys set wrapped_key = decode(repeat('00', length(wrapped_key)), 'hex')
    where conversation_id = ? and key_version = ? and wrapped_key is not null`,
  `update data_keys set wrapped_key = null where conversation_id = ? and key_version = ?`,
  `update conversation_keys set wrapped_private_key = decode(repeat('00', length(wrapped_private_key)), 'hex')
    where conversation_id = ? and version = ? and wrapped_private_key is not null`
]

/** Destroys a version for good. @param key of a locked conversation, in PENDING_DESTRUCTION */
export async function destroyNow(em: EntityManager, key: ConversationKey, end: End): Promise<void> {
  requireTransition(key.state, 'DESTROYED')
  for (const statement of OVERWRITE) await em.execute(statement, [key.conversationId, key.version])
  await em.nativeUpdate(
    ConversationKeyEntity,
    { conversationId: key.conversationId, version: key.version },
    {
      state: 'DESTROYED',
      destroyedAt: end.now,
      wrappedPrivateKey: null,
      masterKey: null,
      masterKeyVersion: null,
      stateBeforeDestruction: null
    }
  )
  await record(em, key, { at: end.now, actor: end.actor, action: 'key.destroyed', detail: `reason=${end.reason}` })
}

/** States in which destroysAt is a time to act. */
const WAITING: readonly KeyState[] = ['DEACTIVATED', 'PENDING_DESTRUCTION']

export const DUE_DESTRUCTIONS: Statement = {
  name: 'due-destructions',
  text: `
    select conversation_id as "conversationId", version, destroys_at as "destroysAt" from conversation_keys
     where state in ('DEACTIVATED', 'PENDING_DESTRUCTION') and destroys_at is not null and destroys_at <= $1
       and (destroys_at, conversation_id, version) > (
             coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'),
             coalesce($4::integer, 0))
     order by destroys_at, conversation_id, version limit $5`
}

/** A version whose recipient-usage period, or whose grace period, is over. */
export interface DueDestruction extends KeyVersion {
  destroysAt: Date
}

/** Due destructions, the longest overdue first, from the one after `after` on. */
export async function findDueDestructions(
  { database, now }: { database: Database; now: Date },
  limit: number,
  after: DueDestruction | null
): Promise<DueDestruction[]> {
  const position = [after?.destroysAt ?? null, after?.conversationId ?? null, after?.version ?? null]
  return await database.run(DUE_DESTRUCTIONS, [now, ...position, limit])
}

/** Takes a version that is due one step on: from the end of its use to the grace period, or from there to its end. */
export async function destroyIfDue(
  services: Pick<Services, 'database' | 'clock' | 'config' | 'metrics' | 'signals' | 'keyring' | 'log'>,
  target: KeyVersion
): Promise<boolean> {
  const { database, clock, config, signals } = services
  const moved = await database.transaction(async (em) => {
    const key = await lockKey(em, target)
    const now = clock.now()
    // Looked at again under the lock: it may have been cancelled, or done by another worker.
    if (!key.destroysAt || key.destroysAt > now || !WAITING.includes(key.state)) return false
    if (key.state === 'PENDING_DESTRUCTION') await destroyNow(em, key, { now, actor: SCHEDULER, reason: 'GRACE_OVER' })
    if (key.state === 'DEACTIVATED') {
      await moveTitle(services, em, await lockConversation(em, target.conversationId), target.version)
      await putOnTheWay(em, key, {
        now,
        actor: SCHEDULER,
        reason: 'EXPIRED',
        destroysAt: addDuration(now, config.destructionGrace)
      })
    }
    return true
  })
  if (moved) signals.publish(`keys:${target.conversationId}`)
  return moved
}

function requireAfter(text: string): Duration {
  try {
    return parseDuration(text)
  } catch {
    throw new BadUserInput('after', 'Give an ISO 8601 duration of up to ten years, such as P7D or PT1S.')
  }
}

async function record(
  em: EntityManager,
  { conversationId, version }: ConversationKey,
  event: Pick<Parameters<typeof appendKeyEvent>[1], 'at' | 'actor' | 'action' | 'detail'>
): Promise<void> {
  await appendKeyEvent(em, { ...event, conversationId, keyVersion: version })
}
