import type { EntityManager } from '@mikro-orm/postgresql'
import { appendKeyEvents, lockChains } from '../conversation-key/key-events.js'
import { fingerprint } from '../crypto/key-transport.js'
import { runIn } from '../database/database.js'
import type { Wrapping } from '../master-key/master-key.js'
import { MasterKeyError } from '../master-key/master-key-error.js'
import type { Services } from '../services.js'
import type { KeyOperation } from './key-operations.js'
import { movePrivateKeys } from './move-private-keys.js'
import type { KeysToRewrap, KeyToRewrap } from './rewrap-position.js'

interface MovedKey {
  key: KeyToRewrap
  wrapping: Wrapping
}

/** Some keys, and for each of them the new wrapping, or why the old one could not be opened. */
export interface WrappedBatch {
  found: KeysToRewrap
  results: readonly (Wrapping | MasterKeyError)[]
}

/**
 * Wraps keys under the current master key, and stores nothing.
 *
 * @throws MasterKeyError, UntrueWrapping
 */
export async function wrapBatch(
  { masterKeys }: Pick<Services, 'masterKeys'>,
  found: KeysToRewrap,
  stop: AbortSignal
): Promise<WrappedBatch> {
  const from = masterKeys.get(found.masterKey)
  return { found, results: await movePrivateKeys(from, masterKeys.current, found.keys.map(wrappedOf), stop) }
}

/**
 * Stores what was wrapped anew. A row changes only if it still holds the bytes that were read, and one that somebody
 * else has locked is left for the next run: nothing is waited for while the chains are locked.
 *
 * @param em of the transaction that notes what was done
 */
export async function storeBatch(
  services: Pick<Services, 'masterKeys' | 'clock' | 'log'>,
  em: EntityManager,
  operation: KeyOperation,
  { found: { masterKey, keys }, results }: WrappedBatch
): Promise<{ done: number; failed: number }> {
  const { masterKeys, clock } = services
  const moved = keys.flatMap((key, index): MovedKey[] => {
    const result = results[index]
    return result && !(result instanceof MasterKeyError) ? [{ key, wrapping: result }] : []
  })
  const failed = keys.filter((_, index) => results[index] instanceof MasterKeyError)
  logFailures(services, keys, results)
  const event = { at: clock.now(), actor: operation.actor }
  const to = masterKeys.current.uri
  const detail = `from=${masterKey} to=${to} operation=${operation.id}${operation.dryRun ? ' dryRun=true' : ''}`
  await lockChains(
    em,
    keys.map(({ conversationId }) => conversationId)
  )
  const stored = operation.dryRun ? moved.map(({ key }) => key) : await store(em, to, moved)
  if (!operation.dryRun) await appendKeyEvents(em, { ...event, action: 'key.rewrapped', detail }, stored.map(eventOf))
  const unnamed = await notNamedYet(em, operation, failed)
  if (unnamed.length > 0) await appendKeyEvents(em, { ...event, action: 'key.set-aside', detail }, unnamed.map(eventOf))
  return { done: stored.length, failed: failed.length }
}

const NAMED = {
  text: `
    select conversation_id as "conversationId", key_version as version from key_events
     where conversation_id = any($1::uuid[]) and action = 'key.set-aside' and position($2 in detail) > 0`
}

/** A key is set aside in every round that looks at it, and named once. */
async function notNamedYet(em: EntityManager, { id }: KeyOperation, failed: KeyToRewrap[]): Promise<KeyToRewrap[]> {
  if (failed.length === 0) return []
  const ids = failed.map(({ conversationId }) => conversationId)
  const named = await runIn<Pick<KeyToRewrap, 'conversationId' | 'version'>>(em, NAMED, [ids, id])
  return failed.filter(
    (key) => !named.some((one) => one.conversationId === key.conversationId && one.version === key.version)
  )
}

function wrappedOf({ keyId, publicKey, wrappedPrivateKey }: KeyToRewrap) {
  return { wrapped: wrappedPrivateKey, context: { keyId, fingerprint: fingerprint(publicKey) } }
}

function eventOf({ conversationId, version }: { conversationId: string; version: number }) {
  return { conversationId, keyVersion: version }
}

// What was wrapped comes in one piece, before and after: of an array of bytes the driver would write out every digit.
const STORE = {
  text: `
    with wanted as (
      select k.conversation_id, k.version, n.master_key_version, substr($5::bytea, n.after_start::integer, n.after_bytes) as after
        from (
          select *, 1 + sum(before_bytes) over (order by place) - before_bytes as before_start,
                 1 + sum(after_bytes) over (order by place) - after_bytes as after_start
            from unnest($2::uuid[], $3::integer[], $6::integer[], $7::integer[], $8::text[]) with ordinality
              as u (conversation_id, version, before_bytes, after_bytes, master_key_version, place)) n
        join conversation_keys k on k.conversation_id = n.conversation_id and k.version = n.version
       where k.wrapped_private_key = substr($4::bytea, n.before_start::integer, n.before_bytes)
         for no key update of k skip locked
    )
    update conversation_keys k
       set wrapped_private_key = w.after, master_key = $1, master_key_version = w.master_key_version
      from wanted w
     where k.conversation_id = w.conversation_id and k.version = w.version
    returning k.conversation_id as "conversationId", k.version`
}

async function store(
  em: EntityManager,
  to: string,
  moved: MovedKey[]
): Promise<Pick<KeyToRewrap, 'conversationId' | 'version'>[]> {
  const before = moved.map(({ key }) => key.wrappedPrivateKey)
  const after = moved.map(({ wrapping }) => wrapping.wrapped)
  return await runIn(em, STORE, [
    to,
    moved.map(({ key }) => key.conversationId),
    moved.map(({ key }) => key.version),
    Buffer.concat(before),
    Buffer.concat(after),
    before.map(({ length }) => length),
    after.map(({ length }) => length),
    moved.map(({ wrapping }) => wrapping.version)
  ])
}

function logFailures(
  { log }: Pick<Services, 'log'>,
  keys: KeyToRewrap[],
  results: readonly (Wrapping | MasterKeyError)[]
): void {
  keys.forEach(({ conversationId, version }, index) => {
    const error = results[index]
    if (!(error instanceof MasterKeyError)) return
    const { uri: masterKey, kind, message: reason } = error
    log.error({ conversationId, keyVersion: version, masterKey, kind, reason }, 'private key set aside')
  })
}
