import type { EntityManager } from '@mikro-orm/postgresql'
import type { ConversationKey } from '../database/entities.js'
import { NotFound } from '../errors.js'
import type { Services } from '../services.js'
import { type KeyVersion, lockKey } from './destroy-key.js'
import type { KeyOperation } from './key-operations.js'
import { reencryptCompromised } from './reencrypt-compromised.js'
import { nothing, rewrapDataKeys } from './reencrypt-data-keys.js'
import type { Step } from './run-key-operation.js'

/** One step of moving away from a key version: only the data keys after a rotation, the bodies as well after a compromise. */
export async function reencrypt(services: Services, em: EntityManager, operation: KeyOperation): Promise<Step> {
  const { conversationId, keyVersion } = operation
  const key = await findKey(em, { conversationId: conversationId ?? '', version: keyVersion ?? 0 })
  if (!key) return { ...nothing(operation), outcome: 'FAILED', error: 'The conversation was deleted.' }
  if (key.state === 'DEACTIVATED') return await rewrapDataKeys(services, em, operation, key)
  if (key.state === 'COMPROMISED') return await reencryptCompromised(services, em, operation, key)
  return { ...nothing(operation), outcome: 'FAILED', error: `The key version is ${key.state} by now.` }
}

/** Null where a deletion came first. */
async function findKey(em: EntityManager, target: KeyVersion): Promise<ConversationKey | null> {
  try {
    return await lockKey(em, target)
  } catch (error) {
    if (error instanceof NotFound) return null
    throw error
  }
}
