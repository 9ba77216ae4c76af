import { openMasterKeys, requireRightKey } from '../../compose.js'
import type { Config } from '../../config.js'
import type { Database } from '../../database/database.js'
import { existingDevelopmentSecret } from '../../development-secrets.js'
import { countByMasterKey } from '../../key-life/key-census.js'
import { createLogger } from '../../log.js'
import type { MasterKeyErrorKind } from '../../master-key/master-key-error.js'
import { MasterKeyHealth, type MasterKeyState } from '../../master-key/master-key-health.js'
import type { MasterKeys } from '../../master-key/master-keys.js'
import { reasonOf } from '../../reason-of.js'
import { StartError } from '../../start-error.js'
import { type Finding, fault, ok, warning } from './finding.js'

const ADVICE: Record<MasterKeyErrorKind, string> = {
  UNREACHABLE: 'Check its address, and that the service runs and can be reached from here.',
  REFUSED: 'Check the login, what its policy allows, and that the key exists and is of the right type.',
  WRONG_KEY: 'It is not the key that its name stood for: put the right one back.',
  DAMAGED: 'What it answers is not in its form: check what is between here and the service.'
}

/** Has each master key wrap and unwrap, compares it with what lies under its name, and looks for those that are missing. */
export async function examineMasterKeys(config: Config, database: Database | null): Promise<Finding[]> {
  let masterKeys: MasterKeys | null = null
  try {
    masterKeys = await openMasterKeys(config, createLogger('silent'), async () => generatedSecret(config))
    const states = await new MasterKeyHealth(masterKeys).states(config.masterKeyTimeoutMs)
    const counts = database ? await countByMasterKey({ database }) : null
    const findings = states.map((state) => onState(state, counts?.find(({ uri }) => uri === state.uri)?.keys ?? null))
    if (!database || !counts) return findings
    return [...findings, ...(await onWrongKeys(database, masterKeys)), ...onMissing(counts, masterKeys.uris)]
  } catch (error) {
    return [error instanceof NotGenerated ? warning('master key', error.message) : fault('master key', reasonOf(error))]
  } finally {
    await masterKeys?.close()
  }
}

class NotGenerated extends StartError {}

function generatedSecret({ dataDir }: Config): string {
  const secret = existingDevelopmentSecret(dataDir, 'master-secret')
  if (secret === null) throw new NotGenerated(`${dataDir} has no master secret yet: conclave start generates it.`)
  return secret
}

function onState({ uri, current, problem }: MasterKeyState, keys: number | null): Finding {
  const role = current ? 'wraps new keys' : 'can unwrap'
  const held = keys === null ? '' : `; ${keys} keys lie under it`
  if (!problem) return ok('master key', `${uri} ${role}${held}.`)
  return fault('master key', `${problem.reason}${held}. ${ADVICE[problem.kind]}`)
}

async function onWrongKeys(database: Database, masterKeys: MasterKeys): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const key of masterKeys.all) {
    await requireRightKey(database, key).catch((error: unknown) => findings.push(fault('master key', reasonOf(error))))
  }
  return findings
}

function onMissing(counts: readonly { uri: string; keys: number }[], uris: readonly string[]): Finding[] {
  return counts
    .filter(({ uri }) => !uris.includes(uri))
    .map(({ uri, keys }) =>
      fault(
        'master key',
        `${keys} keys lie under ${uri}, which is not configured: name it in MASTER_KEYS_RETIRING, with what it needs, or they stay closed.`
      )
    )
}
