/** The nodes of a cluster by which the others are found, and how to log in to all of them. */
export interface RedisClusterPlace {
  nodes: { host: string; port: number }[]
  username?: string
  password?: string
  tls: boolean
}

export const REDIS_PROTOCOLS = ['redis:', 'rediss:', 'redis-cluster:', 'rediss-cluster:']

const CLUSTER = /^rediss?-cluster:/
const DEFAULT_PORT = 6379

/**
 * Reads `redis-cluster://user:password@host:port?node=host:port&node=…`, or `rediss-cluster://…` with TLS.
 *
 * @returns null for the URL of a single Redis
 * @throws Error for a node that is none
 */
export function parseRedisCluster(text: string): RedisClusterPlace | null {
  if (!CLUSTER.test(text)) return null
  const url = new URL(text)
  const place: RedisClusterPlace = {
    nodes: [nodeOf(url.host), ...url.searchParams.getAll('node').map(nodeOf)],
    tls: url.protocol === 'rediss-cluster:'
  }
  if (url.username) place.username = decodeURIComponent(url.username)
  if (url.password) place.password = decodeURIComponent(url.password)
  return place
}

function nodeOf(text: string): { host: string; port: number } {
  const url = URL.canParse(`node://${text}`) ? new URL(`node://${text}`) : null
  if (!url?.hostname || url.host !== text) throw new Error('not a host and port')
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? DEFAULT_PORT : Number(url.port) }
}
