import { Gauge } from 'prom-client'
import { countKeys } from '../key-life/count-keys.js'
import { countByMasterKey } from '../key-life/key-census.js'
import type { Services } from '../services.js'
import { Collector } from './collector.js'

type GaugeServices = Pick<Services, 'metrics' | 'database' | 'keySupply' | 'clock' | 'config' | 'log'>

/**
 * How the keys of the whole deployment stand, as the database has it. The workers tell it, of which there are few; each
 * asks at most every METRICS_COUNT_EVERY. Where the database cannot be asked there is nothing, rather than what was once.
 */
export function watchKeys(services: GaugeServices): void {
  const { metrics, log, config } = services
  const gauges = openGauges(services)
  const collect = async () => {
    try {
      await count(services, gauges)
    } catch (error) {
      log.warn({ reason: error }, 'keys could not be counted for the metrics')
      forget(gauges)
    }
  }
  metrics.addCollector(new Collector(collect, config.metricsCountEveryMs))
}

type KeyGauges = ReturnType<typeof openGauges>

function openGauges({ metrics, config }: GaugeServices) {
  const registers = [metrics.registry]
  new Gauge({
    name: 'conclave_key_pool_target',
    help: 'Key pairs that the workers keep ready: KEY_POOL_TARGET.',
    registers
  }).set(config.keyPoolTarget)
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name, help, registers })
    made.remove()
    return made
  }
  return {
    keys: new Gauge({
      name: 'conclave_keys',
      help: 'Key versions of all conversations by state.',
      labelNames: ['state'],
      registers
    }),
    privateKeys: new Gauge({
      name: 'conclave_master_key_private_keys',
      help: 'Private keys under each master key: would be lost with it.',
      labelNames: ['master_key'],
      registers
    }),
    pool: gauge('conclave_key_pool_pairs', 'Key pairs that are ready for new conversations and new versions.'),
    overdueRotations: gauge('conclave_overdue_rotations', 'Keys that are used and past their rotation.'),
    rotationOverdue: gauge(
      'conclave_rotation_overdue_seconds',
      'For how long the rotation that is overdue longest has been due; 0 where none is.'
    ),
    overdueDestructions: gauge('conclave_overdue_destructions', 'Keys that are past their destruction.'),
    countedAt: gauge('conclave_keys_counted_timestamp_seconds', 'When keys were counted last.')
  }
}

function forget({ keys, privateKeys, ...others }: KeyGauges): void {
  for (const gauge of [keys, privateKeys]) gauge.reset()
  for (const gauge of Object.values(others)) gauge.remove()
}

async function count({ database, keySupply, clock }: GaugeServices, gauges: KeyGauges): Promise<void> {
  const now = clock.now()
  const counts = await countKeys({ database, now })
  const census = await countByMasterKey({ database })
  const pairs = await keySupply.pooled()
  for (const { state, keys } of counts.byState) gauges.keys.set({ state }, keys)
  // One that holds nothing any more is not in the census.
  gauges.privateKeys.reset()
  for (const { uri, keys } of census) gauges.privateKeys.set({ master_key: uri }, keys)
  gauges.pool.set(pairs)
  gauges.overdueRotations.set(counts.overdueRotations)
  const since = counts.rotationOverdueSince ?? now
  gauges.rotationOverdue.set(Math.max(0, now.getTime() - since.getTime()) / 1000)
  gauges.overdueDestructions.set(counts.overdueDestructions)
  gauges.countedAt.set(now.getTime() / 1000)
}
