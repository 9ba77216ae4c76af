import type { Database } from '../../database/database.js'
import { countKeys, type KeyCounts } from '../../key-life/key-census.js'
import { reasonOf } from '../../reason-of.js'
import { type Finding, fault, ok, warning } from './finding.js'

/** Whether the work on keys is done. */
export async function examineKeys(database: Database): Promise<Finding[]> {
  try {
    return onCounts(await countKeys({ database, now: new Date() }))
  } catch (error) {
    return [fault('keys', reasonOf(error))]
  }
}

function onCounts({ activeKeys, overdueRotations, overdueDestructions, compromisedKeys }: KeyCounts): Finding[] {
  const behind = [
    overdueRotations > 0 && `${overdueRotations} rotations`,
    overdueDestructions > 0 && `${overdueDestructions} destructions`
  ].filter(Boolean)
  return [
    behind.length === 0
      ? ok('keys', `Keys of conversations: ${activeKeys}; nothing is overdue.`)
      : warning(
          'keys',
          `${behind.join(' and ')} are overdue: see that a worker runs (conclave start worker), and what its log says.`
        ),
    ...(compromisedKeys > 0
      ? [
          warning(
            'keys',
            `${compromisedKeys} versions are compromised and not destroyed yet: conclave keys list --state COMPROMISED names them.`
          )
        ]
      : [])
  ]
}
