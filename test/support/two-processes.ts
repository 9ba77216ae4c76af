import { expect, vi } from 'vitest'
import { bootConclave, type TestConclave } from './boot.js'
import { RedisServer } from './redis.js'

/** Two processes that have nothing in common but their stores. */
export interface TwoProcesses<R extends RedisServer | null = RedisServer | null> {
  here: TestConclave
  there: TestConclave
  /** What carries their signals, where it is not PostgreSQL. */
  redis: R
  /** Settles once each of the two listens for signals. */
  untilListening(): Promise<void>
  /** Has the server drop both connections that listen. */
  dropListeners(): Promise<void>
  close(): Promise<void>
}

const LISTENERS = `from pg_stat_activity where application_name = 'conclave signals' and datname = current_database()`

export async function bootTwoOn(where: 'PostgreSQL' | 'Redis'): Promise<TwoProcesses> {
  return where === 'Redis' ? await bootTwoOnRedis() : await bootTwo(null)
}

export async function bootTwoOnRedis(variables: NodeJS.ProcessEnv = {}): Promise<TwoProcesses<RedisServer>> {
  return await bootTwo(await RedisServer.start(), variables)
}

async function bootTwo<R extends RedisServer | null>(
  redis: R,
  variables: NodeJS.ProcessEnv = {}
): Promise<TwoProcesses<R>> {
  const redisUrl = redis?.url ?? null
  const here = await bootConclave({ redisUrl }, variables)
  const there = await bootConclave({ redisUrl, databaseUrl: here.database.url }, variables)
  const listeners = async () =>
    redis
      ? await redis.subscribers('conclave:{keys}')
      : (await here.database.query(`select ${LISTENERS} and state = 'idle' and query <> ''`)).length
  return {
    here,
    there,
    redis,
    async untilListening() {
      await vi.waitFor(async () => expect(await listeners()).toBe(2), { timeout: 5_000 })
    },
    async dropListeners() {
      if (redis) await redis.dropSubscribers()
      else await here.database.query(`select pg_terminate_backend(pid, 2000) ${LISTENERS}`)
    },
    async close() {
      await there.close()
      await here.close()
      await redis?.stop()
    }
  }
}
