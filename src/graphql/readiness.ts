import type { Services } from '../services.js'

export interface Readiness {
  /**
   * `degraded`: serves, but for what needs a master key that is out of reach, and later without a Redis that takes writes.
   * `unavailable`: send nobody here.
   */
  status: 'ok' | 'degraded' | 'unavailable'
  database: 'ok' | 'unreachable'
  /** Where it carries jobs and signals. One that `refuses_writes` carries signals, and no jobs. */
  redis?: 'ok' | 'unreachable' | 'refuses_writes'
  /**
   * `ok`, or the kind of the problem: of the current one first, then of those that retire. Anybody may ask here, and
   * a URI names an account: `masterKeys` of the schema names them to whoever may know.
   */
  masterKeys: string[]
}

/** What a load balancer and whoever is on call want to know, in bounded time and without anything secret. */
export async function readinessOf({
  database,
  masterKeyHealth,
  signals,
  limitsRedis
}: Pick<Services, 'database' | 'masterKeyHealth' | 'signals' | 'limitsRedis'>): Promise<Readiness> {
  const [reachable, states, refusesWrites] = await Promise.all([
    database.isReachable(),
    masterKeyHealth.states(),
    limitsRedis?.refusesWrites()
  ])
  const masterKeys = states.map(({ problem }) => problem?.kind.toLowerCase() ?? 'ok')
  const redis = signals.isHearing ? (refusesWrites ? 'refuses_writes' : 'ok') : 'unreachable'
  const hasRedis = signals.carrier === 'Redis'
  const isWhole = states.every(({ problem }) => !problem) && (!hasRedis || redis === 'ok')
  return {
    status: reachable ? (isWhole ? 'ok' : 'degraded') : 'unavailable',
    database: reachable ? 'ok' : 'unreachable',
    ...(hasRedis ? { redis } : {}),
    masterKeys
  }
}
