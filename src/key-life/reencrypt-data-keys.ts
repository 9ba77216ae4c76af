import type { EntityManager } from '@mikro-orm/postgresql'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { importPublicKey, wrapDataKey } from '../crypto/key-transport.js'
import { type ConversationKey, ConversationKeyEntity, DataKeyEntity } from '../database/entities.js'
import { Conflict } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { countCompromised } from './count-compromised.js'
import { lockKey } from './destroy-key.js'
import { type KeyOperation, queueOperation } from './key-operations.js'
import type { Step } from './run-key-operation.js'

/** RSA private operations of one step: the conversation is locked for as long as they take. */
const BATCH = 20

/** Queues the re-wrapping of every data key under an old version onto the active one. */
export async function reencryptConversation(
  services: Pick<Services, 'database' | 'clock' | 'jobs'>,
  viewer: Viewer,
  conversationId: string,
  fromVersion: number
): Promise<KeyOperation> {
  const { database, clock, jobs } = services
  const asked = { operation: 'reencryptConversation', conversationId, keyVersion: fromVersion }
  const operation = await auditRefusal(services, viewer, asked, async () => {
    requireScope(viewer, 'keys:admin')
    return await database.transaction(async (em) => {
      const key = await lockKey(em, { conversationId, version: fromVersion })
      if (key.state !== 'DEACTIVATED' && key.state !== 'COMPROMISED') {
        throw new Conflict(
          `Only what lies under a deactivated or compromised version is re-encrypted; this one is ${key.state}.`
        )
      }
      const total = await (key.state === 'COMPROMISED' ? countCompromised : countDataKeys)(em, key)
      return await queueOperation(em, {
        kind: 'REENCRYPT',
        actor: viewer.id,
        conversationId,
        keyVersion: fromVersion,
        total,
        now: clock.now()
      })
    })
  })
  jobs.nudge(operation)
  return operation
}

async function countDataKeys(em: EntityManager, { conversationId, version }: ConversationKey): Promise<number> {
  return await em.count(DataKeyEntity, { conversationId, keyVersion: version })
}

/**
 * One step: unwraps some data keys and wraps them under the version that is active now. Messages are not
 * touched, and are readable at every moment: a data key's row changes from one wrapping to the other at once.
 */
export async function rewrapDataKeys(
  services: Services,
  em: EntityManager,
  operation: KeyOperation,
  { conversationId, version: fromVersion }: ConversationKey
): Promise<Step> {
  const rows = await em.execute<{ id: string }[]>(
    `select id from data_keys where conversation_id = ? and key_version = ? and id > ? order by id limit ${BATCH}`,
    [conversationId, fromVersion, operation.position ?? '00000000-0000-0000-0000-000000000000']
  )
  const opened = await services.keyring.openForWork(
    conversationId,
    rows.map(({ id }) => id)
  )
  const active = await em.findOneOrFail(ConversationKeyEntity, { conversationId, state: 'ACTIVE' })
  const publicKey = importPublicKey(active.publicKey)
  let done = 0
  for (const { id } of rows) {
    const dataKey = opened.get(id)
    if (!dataKey) continue
    await em.execute(
      `update data_keys
          set wrapped_key = ?, key_version = ?, earlier_versions = array_append(earlier_versions, key_version)
        where conversation_id = ? and id = ?`,
      [wrapDataKey(publicKey, dataKey), active.version, conversationId, id]
    )
    done++
  }
  services.metrics.keyUse.rsaWraps.inc(done)
  if (done > 0) await recordStep(services, em, operation, `dataKeys=${done} to=${active.version}`)
  const step = { done, failed: rows.length - done, position: rows.at(-1)?.id ?? operation.position }
  if (rows.length === BATCH) return step
  if (operation.failed + step.failed === 0) return { ...step, outcome: 'SUCCEEDED' }
  return { ...step, outcome: 'FAILED', error: 'Some data keys could not be opened; they stay under the old version.' }
}

export function nothing({ position }: KeyOperation): Step {
  return { done: 0, failed: 0, position }
}

export async function recordStep(
  { clock }: Pick<Services, 'clock'>,
  em: EntityManager,
  { actor, conversationId, keyVersion }: KeyOperation,
  detail: string
): Promise<void> {
  await appendKeyEvent(em, { at: clock.now(), actor, action: 'key.reencrypted', conversationId, keyVersion, detail })
}
