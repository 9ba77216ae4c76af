import type { Services } from '../services.js'

export interface Readiness {
  /** `degraded`: serves, but for what needs a master key that is out of reach, and later without Redis. `unavailable`: send nobody here. */
  status: 'ok' | 'degraded' | 'unavailable'
  database: 'ok' | 'unreachable'
  /** Where it carries jobs and signals. */
  redis?: 'ok' | 'unreachable'
  /** By URI: `ok`, or the kind of the problem. */
  masterKeys: Record<string, string>
}

/** What a load balancer and whoever is on call want to know, in bounded time and without anything secret. */
export async function readinessOf({
  database,
  masterKeyHealth,
  signals
}: Pick<Services, 'database' | 'masterKeyHealth' | 'signals'>): Promise<Readiness> {
  const [reachable, states] = await Promise.all([database.isReachable(), masterKeyHealth.states()])
  const masterKeys = states.map(({ uri, problem }) => [uri, problem?.kind.toLowerCase() ?? 'ok'] as const)
  const hasRedis = signals.carrier === 'Redis'
  const isWhole = states.every(({ problem }) => !problem) && (!hasRedis || signals.isHearing)
  return {
    status: reachable ? (isWhole ? 'ok' : 'degraded') : 'unavailable',
    database: reachable ? 'ok' : 'unreachable',
    ...(hasRedis ? { redis: signals.isHearing ? 'ok' : 'unreachable' } : {}),
    masterKeys: Object.fromEntries(masterKeys)
  }
}
