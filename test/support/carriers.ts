import { Redis } from 'ioredis'
import { databaseLogin } from '../../src/database/database-login.js'
import { PostgresSignals } from '../../src/delivery/postgres-signals.js'
import { RedisSignals } from '../../src/delivery/redis-signals.js'
import type { Signals } from '../../src/delivery/signals.js'
import { createLogger } from '../../src/log.js'
import { startRedis, startRedisCluster } from './redis.js'
import { TcpProxy } from './tcp-proxy.js'
import { createTestDatabase } from './test-database.js'

export type CarrierName = 'PostgreSQL' | 'Redis' | 'Redis cluster'

/** What carries signals in a test. */
export interface Carrier {
  /** Signals of one more process. */
  open(): Promise<Signals>
  /** The same, by way of `proxy`. */
  openThroughProxy(): Promise<Signals>
  proxy: TcpProxy
  /** Connections for signals that the server has at present. */
  connections(): Promise<number>
  /** Channels that are subscribed to, but for those that every process has. */
  channels(): Promise<string[]>
  close(): Promise<void>
}

const log = createLogger('silent')

export async function openCarrier(name: CarrierName): Promise<Carrier> {
  return name === 'PostgreSQL' ? await onPostgres() : await onRedis(name)
}

async function onPostgres(): Promise<Carrier> {
  const database = await createTestDatabase()
  const proxy = await TcpProxy.start(Number(new URL(database.url).port))
  const connections = `select from pg_stat_activity where application_name = 'conclave signals' and datname = current_database()`
  return {
    proxy,
    open: () => PostgresSignals.open(databaseLogin(database.url, 'conclave_api'), log),
    openThroughProxy: () => PostgresSignals.open(databaseLogin(by(proxy, database.url), 'conclave_api'), log),
    connections: async () => (await database.query(connections)).length,
    channels: async () => [],
    async close() {
      await proxy.stop()
      await database.drop()
    }
  }
}

async function onRedis(name: 'Redis' | 'Redis cluster'): Promise<Carrier> {
  const server = name === 'Redis' ? await startRedis() : await startRedisCluster()
  const nodes = [server.url, ...new URL(server.url).searchParams.getAll('node').map((node) => `redis://${node}`)]
  const admins = nodes.map((url) => new Redis(url.replace('redis-cluster:', 'redis:').replace(/\?.*/, '')))
  const proxy = await TcpProxy.start(Number(new URL(server.url).port))
  const askAll = async (...command: [string, ...string[]]) =>
    (await Promise.all(admins.map((admin) => admin.call(...command)))).flat().map(String)
  return {
    proxy,
    open: async () => new RedisSignals(server.url, log),
    openThroughProxy: async () => new RedisSignals(by(proxy, server.url), log),
    connections: async () => (await askAll('CLIENT', 'LIST')).join('').split('name=conclave-').length - 1,
    async channels() {
      const channels = await askAll('PUBSUB', name === 'Redis' ? 'CHANNELS' : 'SHARDCHANNELS')
      return channels.filter((channel) => !channel.startsWith('conclave:{keys}'))
    },
    async close() {
      await proxy.stop()
      for (const admin of admins) admin.disconnect()
      await server.stop()
    }
  }
}

function by(proxy: TcpProxy, text: string): string {
  const url = new URL(text)
  url.port = String(proxy.port)
  return url.href
}
