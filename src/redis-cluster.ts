import { Cluster, type ClusterOptions, type RedisOptions } from 'ioredis'
import type { RedisClusterPlace } from './redis-url.js'

type NodeOptions = Pick<RedisOptions, 'connectTimeout' | 'connectionName' | 'commandTimeout' | 'maxRetriesPerRequest'>

/** A client of a whole cluster. The name of a certificate is checked as the nodes give it, and so not looked up first. */
export function openRedisCluster(
  { nodes, tls, username, password }: RedisClusterPlace,
  nodeOptions: NodeOptions,
  options: ClusterOptions = {}
): Cluster {
  const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) }
  return new Cluster(nodes, {
    ...options,
    ...(tls ? { dnsLookup: (address, done) => done(null, address) } : {}),
    redisOptions: { ...nodeOptions, ...login, ...(tls ? { tls: {} } : {}) }
  })
}
