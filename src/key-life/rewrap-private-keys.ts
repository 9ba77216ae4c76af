import type { EntityManager } from '@mikro-orm/postgresql'
import { auditRefusal, requireScope } from '../conversation-key/key-rights.js'
import { runIn, type Statement } from '../database/database.js'
import { KeyUnavailable } from '../errors.js'
import type { Viewer } from '../identity/viewer.js'
import { MasterKeyError } from '../master-key/master-key-error.js'
import type { Services } from '../services.js'
import { countByMasterKey } from './key-census.js'
import { type KeyOperation, queueOperation } from './key-operations.js'
import { UntrueWrapping } from './move-private-keys.js'
import { RewrapAhead } from './rewrap-ahead.js'
import { storeBatch, wrapBatch } from './rewrap-batch.js'
import { rewrapPauseMs } from './rewrap-pace.js'
import { findKeysToRewrap, type RewrapTarget, STEP_MAX, stepSize } from './rewrap-position.js'
import type { Step, Steps } from './run-key-operation.js'

/** A step that takes longer is followed by one of half as many keys: whoever pauses or cancels waits for one. */
const STEP_MS = 2_000

/** Before what was locked by somebody else, or has come meanwhile, is looked at. */
const ANOTHER_ROUND_MS = 1_000

const COUNT: Statement = {
  name: 'count-keys-to-rewrap',
  text: `
    select count(*)::integer as count from conversation_keys
     where master_key is not null and (master_key <> $1 or coalesce(master_key_version, '') <> coalesce($2, ''))`
}

/**
 * Queues the move of every private key that is not under the present version of the current master key.
 *
 * @param dryRun to try it all, and write nothing
 * @throws Conflict when one is under way; KeyUnavailable when the current master key is out of reach
 */
export async function rewrapPrivateKeys(
  services: Pick<Services, 'database' | 'clock' | 'jobs' | 'masterKeys' | 'log'>,
  viewer: Viewer,
  { dryRun }: { dryRun: boolean }
): Promise<KeyOperation> {
  const { database, clock, jobs } = services
  const operation = await auditRefusal(services, viewer, { operation: 'rewrapPrivateKeys' }, async () => {
    requireScope(viewer, 'keys:admin')
    const { uri, version } = await targetOf(services)
    const [row] = await database.run<{ count: number }>(COUNT, [uri, version])
    const work = { kind: 'REWRAP' as const, actor: viewer.id, conversationId: null, keyVersion: null }
    const draft = { ...work, total: row?.count ?? 0, target: uri, dryRun, now: clock.now() }
    return await database.transaction((em) => queueOperation(em, draft))
  })
  jobs.nudge(operation)
  return operation
}

async function targetOf({ masterKeys, log }: Pick<Services, 'masterKeys' | 'log'>): Promise<RewrapTarget> {
  const { current } = masterKeys
  try {
    return { uri: current.uri, version: await current.version() }
  } catch (error) {
    if (!(error instanceof MasterKeyError)) throw error
    log.error({ masterKey: error.uri, kind: error.kind, reason: error }, 'rewrap cannot begin')
    throw new KeyUnavailable()
  }
}

/** Steps of one run: each moves some keys, or passes over those of a master key that this process does not have. */
export function rewrapSteps(): Steps {
  const ahead = new RewrapAhead()
  return { take: (services, em, operation, stop) => rewrap(services, em, operation, ahead, stop) }
}

async function rewrap(
  services: Services,
  em: EntityManager,
  operation: KeyOperation,
  ahead: RewrapAhead,
  stop: AbortSignal
): Promise<Step | null> {
  const { masterKeys, log } = services
  // Queued by a process with another current master key: its workers do it.
  if (operation.target !== masterKeys.current.uri) return null
  try {
    return await takeStep(services, em, operation, ahead, stop)
  } catch (error) {
    const nothing = { done: 0, failed: 0, position: operation.position }
    if (error instanceof UntrueWrapping) {
      log.error({ masterKey: error.uri, operation: operation.id }, error.message)
      return { ...nothing, outcome: 'FAILED', error: `The ${error.message}. Nothing of it was stored.` }
    }
    if (!(error instanceof MasterKeyError)) throw error
    log.warn({ masterKey: error.uri, kind: error.kind, reason: error }, 'rewrap is held up')
    return { ...nothing, postponed: true, error: `The master key ${error.uri} cannot be used now; it goes on later.` }
  }
}

async function takeStep(
  services: Services,
  em: EntityManager,
  operation: KeyOperation,
  ahead: RewrapAhead,
  stop: AbortSignal
): Promise<Step> {
  const { masterKeys, config } = services
  const target = { uri: masterKeys.current.uri, version: await masterKeys.current.version() }
  const perSecond = config.rewrapPerSecond
  const size = Math.min(stepSize(operation.position), Math.max(1, Math.ceil(perSecond ?? STEP_MAX)))
  // Nothing that is taken from the pool while this goes on may lie where the keys are moved away from.
  if (operation.position === null && !operation.dryRun) await emptyPool(em, target, masterKeys.uris)
  const startedAt = performance.now()
  const begun = await ahead.batchAt(operation.position, target)
  const found = begun ? begun.found : await findKeysToRewrap(em, target, operation.position, size)
  if (!found) return await finish(services, em, operation, target)
  if (!masterKeys.uris.includes(found.masterKey)) {
    const { failed, position } = await found.passOver(em)
    services.log.error({ masterKey: found.masterKey, keys: failed }, 'rewrap passes over a master key it does not have')
    return { done: 0, failed, position }
  }
  const batch = begun ?? (await wrapBatch(services, found, stop))
  // While the database stores these, the next are wrapped.
  if (perSecond === null) ahead.begin(services, found.positionBehind(size), target, size, stop)
  const { done, failed } = await storeBatch(services, em, operation, batch)
  const tookMs = performance.now() - startedAt
  const paceMs = perSecond === null ? 0 : (1000 * found.keys.length) / perSecond - tookMs
  const position = found.positionBehind(nextSize(size, tookMs))
  return { done, failed, position, pauseMs: Math.max(paceMs, await rewrapPauseMs(services, tookMs)) }
}

function nextSize(size: number, tookMs: number): number {
  return tookMs > STEP_MS ? Math.max(1, Math.floor(size / 2)) : Math.min(STEP_MAX, size * 2)
}

async function finish(
  { masterKeys, database }: Services,
  em: EntityManager,
  operation: KeyOperation,
  target: RewrapTarget
): Promise<Step> {
  if (!operation.dryRun) {
    // It waits for whoever has taken a pair and not committed: what that has become is counted here.
    await emptyPool(em, target, masterKeys.uris)
    const [left] = await runIn<{ count: number }>(em, COUNT, [target.uri, target.version])
    // Those that were set aside are looked at again with the rest, and counted again.
    if ((left?.count ?? 0) > operation.failed) {
      return { done: 0, failed: -operation.failed, position: null, pauseMs: ANOTHER_ROUND_MS }
    }
  }
  const step = { done: 0, failed: 0, position: operation.position }
  if (operation.failed === 0) return { ...step, outcome: 'SUCCEEDED' }
  const missing = await describeMissing({ database, masterKeys })
  const error =
    missing ??
    'Some private keys could not be opened and stay as they are: key.set-aside in the audit trail names them, the log says why. Keep their master key.'
  return { ...step, outcome: 'FAILED', error }
}

/** Pairs that nobody has used yet are not worth moving: the pool is filled again, under the present version. */
async function emptyPool(em: EntityManager, { uri, version }: RewrapTarget, uris: string[]): Promise<void> {
  const text = `
    delete from pooled_keys
     where master_key = any($3) and (master_key <> $1 or coalesce(master_key_version, '') <> coalesce($2, ''))`
  await runIn(em, { text }, [uri, version, uris])
}

/** What lies under master keys that this process was not given, and what to do about it; null for nothing. */
async function describeMissing({
  database,
  masterKeys
}: Pick<Services, 'database' | 'masterKeys'>): Promise<string | null> {
  const missing = (await countByMasterKey({ database })).filter(({ uri }) => !masterKeys.uris.includes(uri))
  if (missing.length === 0) return null
  const held = missing.map(({ uri, keys }) => `${keys} keys lie under ${uri}`).join(', ')
  return `${held}, which is not configured here: name it in MASTER_KEYS_RETIRING, with what it needs, and rewrap again.`
}
