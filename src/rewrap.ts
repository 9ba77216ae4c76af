import './require-node.js'

import { userInfo } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Presets, SingleBar } from 'cli-progress'
import { runOperation } from '../jobs/key-operations.js'
import { compose } from './compose.js'
import { ConfigError, loadConfig } from './config.js'
import { ConclaveError, KeyUnavailable } from './errors.js'
import type { Viewer } from './identity/viewer.js'
import { keyHealth } from './key-life/key-census.js'
import { findKeyOperation, findOpenRewrap, type KeyOperation } from './key-life/key-operations.js'
import { rewrapPrivateKeys } from './key-life/rewrap-private-keys.js'
import { createLogger } from './log.js'
import { faultText } from './reason-of.js'
import type { Services } from './services.js'
import { StartError } from './start-error.js'

/** Moves all private keys to the current master key, with a progress bar: `rewrapPrivateKeys` from the command line. */

const USAGE = `usage: npm run -s rewrap -- [--dry-run]
  Moves every private key to the master key MASTER_KEY, from those of MASTER_KEYS_RETIRING.
  --dry-run   opens and wraps every key, and stores nothing
It reads the environment that the server is started with: DATABASE_URL, WORKER_DATABASE_URL or DATA_DIR, MASTER_KEY and what it needs.
Ends with 0 when every key was moved, with 1 otherwise. It may be interrupted and run again at any time.`

const LOOK_EVERY_MS = 500

async function main(args: string[]): Promise<number> {
  const { dryRun, help } = parse(args)
  if (help) {
    console.log(USAGE)
    return 0
  }
  const log = createLogger('error', process.stderr)
  const composition = await compose(loadConfig(process.env), log, { parts: ['worker'], purpose: 'TOOL' })
  try {
    return await rewrap(composition.services.worker, dryRun)
  } finally {
    await composition.close()
  }
}

async function rewrap(services: Services, dryRun: boolean): Promise<number> {
  await printCensus(services)
  const open = await findOpenRewrap(services)
  const { uri } = services.masterKeys.current
  if (open && open.target !== uri) {
    throw new StartError(
      `A rewrap to ${open.target} is under way, and MASTER_KEY is ${uri}. Let it end, or cancel it: cancelKeyOperation(id: "${open.id}").`
    )
  }
  if (open && open.dryRun !== dryRun) {
    throw new StartError(`A ${open.dryRun ? 'dry run' : 'rewrap'} is under way (${open.id}). Let it end, or cancel it.`)
  }
  const operation = open ?? (await rewrapPrivateKeys(services, operator(), { dryRun }))
  const finished = await follow(services, operation)
  if (!finished) {
    console.log(`\nInterrupted. Workers go on with it, or this command when it is run again (${operation.id}).`)
    return 1
  }
  return await printOutcome(services, finished)
}

/** Who runs this, for the audit trail: no user can have such an id. */
function operator(): Viewer {
  const id = `operator:${userInfo().username}`
  return { id, name: id, scopes: new Set(['keys:admin']), expiresAt: null }
}

async function printCensus(services: Services): Promise<void> {
  const { masterKeys } = await keyHealth({ ...services, now: services.clock.now() })
  console.log('Master keys')
  for (const { uri, wrappedKeyCount, current, reachable } of masterKeys) {
    const notes = [current && 'current', !reachable && 'out of reach of this process'].filter(Boolean).join(', ')
    console.log(`  ${uri}  ${wrappedKeyCount} keys${notes && `  (${notes})`}`)
  }
}

/** Works on the operation, or watches a worker that does. @returns null when it was interrupted */
async function follow(services: Services, operation: KeyOperation): Promise<KeyOperation | null> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const format = `${operation.dryRun ? 'Trying' : 'Moving'} {bar} {percentage}% {value}/{total}, {failed} set aside, {note}`
  const bar = new SingleBar({ format, noTTYOutput: true, etaBuffer: 50 }, Presets.shades_classic)
  const show = ({ done, failed, total, error, pausedAt, finishedAt }: KeyOperation) => {
    bar.setTotal(total)
    const note = finishedAt ? 'finished' : pausedAt ? 'paused' : (error ?? 'going on')
    bar.update(done + failed, { failed, note })
  }
  bar.start(operation.total, 0, { failed: 0, note: 'going on' })
  try {
    for (let now: KeyOperation | null = operation; now; now = await findKeyOperation(services, operation.id)) {
      show(now)
      if (now.finishedAt) return now
      if (stop.signal.aborted) return null
      await runOperation(services, operation.id, stop.signal, async (step) => show(step))
      // A worker has it, it is paused, or a master key is out of reach.
      await delay(LOOK_EVERY_MS, null, { signal: stop.signal }).catch(() => {})
    }
    return null
  } finally {
    bar.stop()
  }
}

async function printOutcome(services: Services, { state, done, failed, error, dryRun }: KeyOperation): Promise<number> {
  console.log(`${state}: ${done} keys ${dryRun ? 'would be moved' : 'moved'}, ${failed} set aside.`)
  if (error) console.log(error)
  if (!dryRun) {
    const { masterKeys } = await keyHealth({ ...services, now: services.clock.now() })
    for (const { uri, current, wrappedKeyCount } of masterKeys) {
      if (current) continue
      const kept = `still holds ${wrappedKeyCount} keys: it is needed.`
      const free = 'holds no key any more: it can be taken out of MASTER_KEYS_RETIRING.'
      console.log(`${uri} ${wrappedKeyCount > 0 ? kept : free}`)
    }
  }
  return state === 'SUCCEEDED' ? 0 : 1
}

function parse(args: string[]): { dryRun: boolean; help: boolean } {
  try {
    const options = { 'dry-run': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
    const { values } = parseArgs({ args, options })
    return { dryRun: values['dry-run'] ?? false, help: values.help ?? false }
  } catch (error) {
    throw new StartError(`${(error as Error).message}\n${USAGE}`)
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof KeyUnavailable) {
      console.error('The master key that MASTER_KEY names cannot be used now: the line above says why.')
      process.exit(1)
    }
    const known = error instanceof StartError || error instanceof ConfigError || error instanceof ConclaveError
    console.error(known ? error.message : faultText(error))
    process.exit(1)
  }
)
