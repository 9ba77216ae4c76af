import { Cluster, type ClusterOptions, type RedisOptions } from 'ioredis'
import type { RedisClusterPlace } from './redis-url.js'

type NodeOptions = Pick<RedisOptions, 'connectTimeout' | 'connectionName' | 'commandTimeout' | 'maxRetriesPerRequest'>

/** A client of a whole cluster. The name of a certificate is checked as the nodes give it, and so not looked up first. */
export function openRedisCluster(
  place: RedisClusterPlace,
  options: NodeOptions,
  clusterOptions: ClusterOptions = {}
): Cluster {
  return new Cluster(place.nodes, {
    ...clusterOptions,
    ...(place.tls ? { dnsLookup: (address, done) => done(null, address) } : {}),
    redisOptions: nodeOptions(place, options)
  })
}

/** Options for a client of one of its nodes: with the login. */
export function nodeOptions<T extends object>({ tls, username, password }: RedisClusterPlace, options: T) {
  return {
    ...options,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(tls ? { tls: {} } : {})
  }
}
