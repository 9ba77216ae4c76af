import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { createLogger } from '../../src/log.js'
import { LimitsRedis } from '../../src/rate-limits/limits-redis.js'
import { Places } from '../../src/rate-limits/places.js'
import { LEASE_MS, RENEWALS, RedisPlaces } from '../../src/rate-limits/redis-places.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { hasRedis, RedisServer } from '../support/redis.js'

/** How many sockets, event streams and downloads a user has open, over all processes. */

const RENEWAL_MS = LEASE_MS / RENEWALS
const REFUSED = { code: 'RATE_LIMITED', retryAfterMs: 1000 }

interface SigningIn {
  socket: WebSocket
  /** The reason that the socket is closed for; null for one that may be used. */
  refusal: Promise<unknown>
}

async function signingIn(conclave: TestConclave, user: string): Promise<SigningIn> {
  const payload = { authorization: `Bearer ${await conclave.token(user)}` }
  const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  // From the start: the answer comes while others sign in.
  const closed = once(socket, 'close').then(([, reason]) => JSON.parse(String(reason)))
  const refusal = Promise.race([once(socket, 'message').then(() => null), closed])
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload }))
  return { socket, refusal }
}

const refusalOf = async (conclave: TestConclave, user: string) => await (await signingIn(conclave, user)).refusal

describe.skipIf(!hasRedis)('with one Redis', () => {
  let redis: RedisServer
  let client: Redis
  const opened: { close(): void | Promise<void> }[] = []

  beforeAll(async () => {
    redis = await RedisServer.start()
    client = new Redis(redis.url)
    client.on('error', () => {})
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
    await redis.start()
    await vi.waitFor(() => client.flushall())
  })
  afterAll(async () => {
    client.disconnect()
    await redis.stop()
  })

  /** What a process counts with. */
  async function processWith(max: number) {
    const connection = new LimitsRedis(redis.url, createLogger('silent'))
    const shared = new RedisPlaces(connection)
    opened.push(shared, connection)
    // Until it is connected, each process counts for itself.
    const knock = connection.script('knock', 'return 1')
    await vi.waitFor(async () => expect(await knock('anything')).toBe(1))
    return { places: new Places(max, shared), kill: () => shared.close() }
  }

  /** Each try is somebody else's: until it is connected, a process counts for itself. */
  async function untilCounted(places: Places): Promise<void> {
    await vi.waitFor(async () => {
      const before = (await placesOf()).length
      await places.take(randomUUID())
      expect(await placesOf()).toHaveLength(before + 1)
    })
  }
  const placesOf = () => client.keys('conclave:places:*')

  it('two processes together admit as many sockets of a user as one would', async () => {
    const variables = { SOCKETS_PER_USER: '2', REDIS_URL: redis.url }
    const [first, second] = [await bootConclave({}, variables), await bootConclave({}, variables)]
    opened.push(first, second)
    for (const { services } of [first, second]) await untilCounted(services.places)
    const sockets = [await signingIn(first, 'alice'), await signingIn(second, 'alice')]
    for (const { refusal } of sockets) expect(await refusal).toBeNull()
    for (const process of [first, second]) expect(await refusalOf(process, 'alice')).toEqual(REFUSED)
    expect(await refusalOf(second, 'bob')).toBeNull()
    sockets[0]?.socket.close()
    await vi.waitFor(async () => expect(await refusalOf(second, 'alice')).toBeNull())
  })

  it('each counts for itself while it is away, and together again when it is back', async () => {
    const first = await processWith(2)
    const second = await processWith(2)
    await redis.kill()
    for (const { places } of [first, second]) {
      for (let count = 0; count < 2; count++) await places.take('alice')
      await expect(places.take('alice')).rejects.toMatchObject(REFUSED)
    }
    await redis.start()
    // What was taken meanwhile is made known.
    await vi.waitFor(
      async () => {
        const [key = ''] = await client.keys('*')
        expect(await client.zcard(key)).toBe(4)
      },
      { timeout: 10_000 }
    )
    const third = await processWith(2)
    await expect(third.places.take('alice')).rejects.toMatchObject(REFUSED)
  })

  it('knows nobody by name', async () => {
    const { places } = await processWith(1)
    await places.take('alice@example.org')
    const keys = await client.keys('*')
    expect(keys).toEqual([expect.stringMatching(/^conclave:places:[\w-]{22}$/)])
    expect(JSON.stringify([keys, await client.zrange(keys[0] ?? '', '0', '-1')])).not.toContain('alice')
  })

  describe('while time passes', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
    afterEach(() => void vi.useRealTimers())

    /** For the leases, which end by the clock of Redis, and for the timers of the processes. */
    async function pass(ms: number): Promise<void> {
      for (const key of await placesOf()) {
        for (const place of await client.zrange(key, '0', '-1')) await client.zincrby(key, -ms, place)
        await client.pexpire(key, Math.max(0, (await client.pttl(key)) - ms))
      }
      vi.advanceTimersByTime(ms)
    }

    /** What is left of the longest lease of the only user who has places. */
    async function leftMs(): Promise<number> {
      const [key = ''] = await placesOf()
      const [, end = '0'] = await client.zrange(key, '-1', '-1', 'WITHSCORES')
      const [seconds = 0] = await client.time()
      return Number(end) - Number(seconds) * 1000
    }

    const untilRenewed = () =>
      vi.waitFor(async () => expect(await leftMs()).toBeGreaterThan(LEASE_MS - RENEWAL_MS / 2), { timeout: 5_000 })

    it('the places of a process that was killed are free when their leases end, and no sooner', async () => {
      const [killed, other] = [await processWith(2), await processWith(2)]
      for (const { places } of [killed, other]) await places.take('alice')
      killed.kill()
      await pass(LEASE_MS - RENEWAL_MS)
      await untilRenewed()
      await expect(other.places.take('alice')).rejects.toMatchObject(REFUSED)
      await pass(RENEWAL_MS)
      await other.places.take('alice')
      await expect(other.places.take('alice')).rejects.toMatchObject(REFUSED)
    })

    it('a place is kept for longer than its lease, also where Redis has lost it', async () => {
      const [keeper, other] = [await processWith(1), await processWith(1)]
      await keeper.places.take('alice')
      for (let passed = 0; passed <= LEASE_MS; passed += RENEWAL_MS) {
        await pass(RENEWAL_MS)
        await untilRenewed()
      }
      await expect(other.places.take('alice')).rejects.toMatchObject(REFUSED)
      await client.flushall()
      await pass(RENEWAL_MS)
      await untilRenewed()
      const [key = ''] = await placesOf()
      expect(await client.zcard(key)).toBe(1)
      expect(await client.pttl(key)).toBeGreaterThan(0)
    })

    it('a place that was given back is not taken again by a renewal', async () => {
      const { places } = await processWith(2)
      const releases = [await places.take('alice'), await places.take('alice')]
      for (const release of releases) release()
      await places.take('bob')
      const taken = await placesOf()
      expect(taken).toHaveLength(1)
      await pass(RENEWAL_MS)
      await untilRenewed()
      expect(await placesOf()).toEqual(taken)
    })
  })
})
