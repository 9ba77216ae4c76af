import { type Cluster, Redis } from 'ioredis'
import { reasonOf } from '../../reason-of.js'
import { openRedisCluster } from '../../redis-cluster.js'
import { parseRedisCluster } from '../../redis-url.js'
import { refusalOfWrites } from '../../redis-writes.js'
import type { OtherClock } from './examine-clock.js'
import { type Finding, fault, ok, warning } from './finding.js'

const PATIENCE_MS = 5_000
const ONCE = { connectTimeout: PATIENCE_MS, commandTimeout: PATIENCE_MS, maxRetriesPerRequest: 0 }

/** Connects, and asks for what jobs and signals need. */
export async function examineRedis(url: string | null, clocks: OtherClock[]): Promise<Finding[]> {
  if (url === null) return [ok('redis', 'REDIS_URL is not set: PostgreSQL carries jobs and signals.')]
  const place = new URL(url).host
  const client = open(url)
  // Of a connection that fails the promise does not say why.
  let reason: unknown = null
  client.on('error', (error: unknown) => {
    reason ??= error
  })
  try {
    await client.connect()
    const before = Date.now()
    const [seconds, microseconds] = (await client.time()).map(Number)
    const now = (before + Date.now()) / 2
    clocks.push({ whose: 'Redis', aheadMs: (seconds ?? 0) * 1000 + (microseconds ?? 0) / 1000 - now })
    return [...onInfo(place, await client.info()), ...onWrites(place, await refusalOfWrites(client))]
  } catch (error) {
    const why = reasonOf(reason ?? error)
    return [
      fault(
        'redis',
        `Redis at ${place} cannot be used (${why}). Check REDIS_URL, and that it runs and lets this login in.`
      )
    ]
  } finally {
    client.disconnect()
  }
}

function open(url: string): Redis | Cluster {
  const cluster = parseRedisCluster(url)
  if (cluster) return openRedisCluster(cluster, ONCE, { lazyConnect: true, clusterRetryStrategy: () => null })
  return new Redis(url, { ...ONCE, lazyConnect: true, retryStrategy: () => null })
}

function onWrites(place: string, refusal: Error | null): Finding[] {
  if (!refusal) return []
  return [
    fault(
      'redis',
      `Redis at ${place} answers, and refuses writes (${reasonOf(refusal)}): jobs wait. OOM is for more maxmemory, MISCONF for room on its disk, READONLY for the address of the one that is no replica.`
    )
  ]
}

function onInfo(place: string, info: string): Finding[] {
  const value = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const found = [ok('redis', `Redis ${value('redis_version')} at ${place} answers.`)]
  const policy = value('maxmemory_policy')
  if (policy !== '' && policy !== 'noeviction') {
    found.push(
      warning(
        'redis',
        `Its maxmemory-policy is ${policy}: it may throw jobs away when it is full. Set it to noeviction.`
      )
    )
  }
  return found
}
