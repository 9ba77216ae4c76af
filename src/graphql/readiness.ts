import type { Services } from '../services.js'

export interface Readiness {
  /** `degraded`: serves, but for what needs a master key that is out of reach. `unavailable`: send nobody here. */
  status: 'ok' | 'degraded' | 'unavailable'
  database: 'ok' | 'unreachable'
  /** By URI, of those that cannot be used: the kind of the problem. */
  masterKeys: Record<string, string>
}

/** What a load balancer and whoever is on call want to know, in bounded time and without anything secret. */
export async function readinessOf({
  database,
  masterKeyHealth
}: Pick<Services, 'database' | 'masterKeyHealth'>): Promise<Readiness> {
  const [reachable, states] = await Promise.all([database.isReachable(), masterKeyHealth.states()])
  const problems = states.flatMap(({ uri, problem }) => (problem ? [[uri, problem.kind.toLowerCase()] as const] : []))
  const served = problems.length === 0 ? 'ok' : 'degraded'
  return {
    status: reachable ? served : 'unavailable',
    database: reachable ? 'ok' : 'unreachable',
    masterKeys: Object.fromEntries(problems)
  }
}
