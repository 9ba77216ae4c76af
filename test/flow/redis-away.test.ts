import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ConversationsDocument,
  DeleteConversationDocument,
  MarkKeyCompromisedDocument,
  MembershipEventsDocument,
  MessageEventsDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument,
  SetTypingDocument
} from '../../documents/generated.js'
import { startWorker } from '../../jobs/worker.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { brief, createConversation, eventCursor, follow, followLive, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { inTime } from '../support/in-time.js'
import { canStartRedis, RedisServer, type RefusalCause } from '../support/redis.js'
import { askOver } from '../support/transports.js'
import { bootTwoOnRedis, type TwoProcesses } from '../support/two-processes.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

/** Redis carries signals and nothing else: without it, all is there, and later. */

/** Less than the poll, which brings after five seconds what no signal has brought. */
const BEFORE_THE_POLL_MS = 4_000
const SOON = { timeout: 5_000 }
/** For a worker, which tries again after a while. */
const LATER = { timeout: 20_000 }

describe.runIf(canStartRedis)('while Redis is away', () => {
  let processes: TwoProcesses<NonNullable<TwoProcesses['redis']>>
  let here: TestConclave
  let there: TestConclave
  let alice: GraphQLClient
  let bob: GraphQLClient
  beforeAll(async () => {
    processes = await bootTwoOnRedis()
    here = processes.here
    there = processes.there
    alice = await here.as('alice')
    bob = await there.as('bob')
  })
  afterAll(() => processes.close())
  afterEach(async () => {
    vi.restoreAllMocks()
    await processes.redis.start()
    await processes.untilListening()
  })

  it('a process starts, says that it cannot listen, serves, and hears once Redis is there', async () => {
    const id = await createConversation(alice, ['carol'])
    await processes.redis.kill()
    const late = await bootConclave({ redisUrl: processes.redis.url, databaseUrl: here.database.url })
    try {
      const events = await follow(await late.as('carol'), id)
      await send(alice, id, 'without Redis')
      expect(brief(await events.next())).toBe('SENT without Redis')
      expect(late.logged()).toContain('connection for signals lost')
      await processes.redis.start()
      await untilHeard(here, late)
      const begun = performance.now()
      await send(alice, id, 'with Redis')
      expect(brief(await events.next())).toBe('SENT with Redis')
      expect(performance.now() - begun).toBeLessThan(BEFORE_THE_POLL_MS)
    } finally {
      await late.close()
    }
  }, 30_000)

  it('/readyz says so within seconds, and that it serves; the log says once what waits, and for what', async () => {
    const readiness = () => readinessAt(here)
    const rest = { code: 200, database: 'ok', masterKeys: ['ok'] }
    await vi.waitFor(async () => expect(await readiness()).toEqual({ ...rest, status: 'ok', redis: 'ok' }), SOON)
    const lines = () => here.logged().split('the job queue is out of reach').length - 1
    await processes.redis.kill()
    const away = { ...rest, status: 'degraded', redis: 'unreachable' }
    await vi.waitFor(async () => expect(await readiness()).toEqual(away), SOON)
    // Each connection fails again and again meanwhile.
    await vi.waitFor(() => expect(here.logged().split('"msg":"job queue"').length).toBeGreaterThan(4), SOON)
    expect(lines()).toBe(1)
    await processes.redis.start()
    await vi.waitFor(async () => expect(await readiness()).toMatchObject({ status: 'ok', redis: 'ok' }), SOON)
  })

  it('and when it comes back, every message arrives once and in order', async () => {
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(bob, id)
    const bodies = Array.from({ length: 120 }, (_, index) => `message ${index}`)
    for (const [index, body] of bodies.entries()) {
      if (index === 40) await processes.redis.kill()
      if (index === 80) await processes.redis.start()
      await send(alice, id, body)
    }
    expect((await events.take(bodies.length)).map(brief)).toEqual(bodies.map((body) => `SENT ${body}`))
    await send(alice, id, 'the last one')
    expect(brief(await events.next())).toBe('SENT the last one')
  }, 30_000)

  it('keys are forgotten all the same, and told of when it is back', async () => {
    const id = await conversationOpenThere()
    const forgetAll = vi.spyOn(there.services.keyring, 'forgetAll')
    const forget = vi.spyOn(there.services.keyring, 'forget')
    await processes.redis.kill()
    const admin = await here.as('admin', { scopes: ['keys:admin'] })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' })
    await vi.waitFor(() => expect(forgetAll).toHaveBeenCalled(), SOON)
    expect((await readBack(bob, id)).map(({ status }) => status)).toEqual(['UNREADABLE'])
    expect(forget).not.toHaveBeenCalled()
    await processes.redis.start()
    await vi.waitFor(() => expect(forget).toHaveBeenCalledWith(id), SOON)
  }, 20_000)

  /** A conversation whose first message, under a version that is no longer active, is in the other process's cache. */
  async function conversationOpenThere(): Promise<string> {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'under the first version')
    await alice.run(RotateKeyDocument, { conversationId: id })
    expect((await readBack(bob, id)).map(({ status }) => status)).toEqual(['READABLE'])
    return id
  }
})

describe.runIf(canStartRedis)('a request', () => {
  it.each<[string, (redis: RedisServer, ask: () => Promise<void>) => Promise<unknown>]>([
    ['has stopped', async (redis, ask) => [await redis.kill(), await ask()]],
    ['says nothing', async (redis, ask) => [redis.freeze(), await ask()]],
    ['stops while it is asked', async (redis, ask) => [redis.freeze(), await Promise.all([ask(), redis.kill()])]]
  ])(
    'of any kind is answered in time when Redis %s, and still once that is known; a subscription that was held misses nothing',
    async (_, failAndAsk) => {
      const { here, there, redis, untilListening, close } = await bootTwoOnRedis({ RATE_LIMITS: 'on' })
      try {
        const id = await createConversation(await here.as('alice'), ['bob'])
        const events = await followLive(await there.as('bob'), id)
        let round = 0
        const ask = (boardStatus: number) => askEverything(here, id, { body: `message ${round++}`, boardStatus })
        await ask(200)
        await failAndAsk(redis, () => ask(503))
        await vi.waitFor(() => expect(here.services.signals.isHearing).toBe(false), SOON)
        await ask(503)
        await redis.start()
        await untilListening()
        // Its connections come back in their own time.
        await vi.waitFor(async () => expect(await boardStatusOf(here)).toBe(200), LATER)
        await ask(200)
        expect((await events.take(round)).map(brief)).toEqual([0, 1, 2, 3].map((index) => `SENT message ${index}`))
      } finally {
        await redis.start()
        await close()
      }
    },
    60_000
  )

  it.each<RefusalCause>(['it is full', 'it cannot save', 'it is a replica'])(
    'of any kind is answered in time while Redis refuses writes because %s, and told of at once; workers say what waits, and do it when writes are taken again',
    async (cause) => {
      const { here, there, redis, close } = await bootTwoOnRedis({ RATE_LIMITS: 'on', SCAN_EVERY: 'PT0.5S' })
      const place = placeOf(here, redis.url)
      const workers = [await startReadyWorker(here, place)]
      const untilReadiness = (expected: object) =>
        vi.waitFor(async () => expect(await readinessAt(here)).toMatchObject(expected), SOON)
      try {
        const id = await createConversation(await here.as('alice'), ['bob'])
        const events = await followLive(await there.as('bob'), id)
        await untilReadiness({ status: 'ok', redis: 'ok' })
        await redis.refuseWrites(cause)
        await untilReadiness({ code: 200, status: 'degraded', redis: 'refuses_writes' })
        await askEverything(here, id, { body: 'meanwhile', boardStatus: 200 })
        const begun = performance.now()
        expect(brief(await events.next())).toBe('SENT meanwhile')
        expect(performance.now() - begun).toBeLessThan(BEFORE_THE_POLL_MS)
        const late = startWorker(here.workerServices, place)
        workers.push(late)
        await vi.waitFor(() => expect(here.logged()).toContain('the job queue is out of reach, or takes nothing'), SOON)
        expect(await unfinished(here)).toBeGreaterThan(0)
        await redis.takeWrites(cause)
        await late.ready
        await untilReadiness({ status: 'ok', redis: 'ok' })
        await vi.waitFor(async () => expect(await unfinished(here)).toBe(0), LATER)
      } finally {
        for (const worker of workers) await worker.close()
        await close()
      }
    },
    60_000
  )

  async function unfinished({ database }: TestConclave): Promise<number> {
    return (await database.query('select from key_operations where finished_at is null')).length
  }

  /** One of every kind at once. All but the board of the jobs are served without Redis, which each of them turns to. */
  async function askEverything(
    conclave: TestConclave,
    id: string,
    { body, boardStatus }: { body: string; boardStatus: number }
  ): Promise<void> {
    const [alice, bob] = [await conclave.as('alice'), await conclave.as('bob')]
    const claims = { scopes: ['keys:admin', 'keys:read'] }
    const [admin, token] = [await conclave.as('admin', claims), await conclave.token('admin', claims)]
    const get = (path: string) => fetch(conclave.url + path, { headers: { authorization: `Bearer ${token}` } })
    const create = () => createConversation(alice, ['bob'])
    const [doomed, leaked] = await Promise.all([inTime(create), inTime(create)])
    const query = { query: '{ viewer { id } }' }
    const requests: (() => Promise<unknown>)[] = [
      () => alice.run(ConversationsDocument, { first: 10 }),
      () => send(alice, id, body),
      () => alice.run(SetTypingDocument, { conversationId: id, typing: true }),
      () => alice.run(RotateKeyDocument, { conversationId: id }),
      // Each of these two enqueues a job.
      () => alice.run(DeleteConversationDocument, { conversationId: doomed }),
      () => admin.run(MarkKeyCompromisedDocument, { conversationId: leaked, version: 1 }),
      async () => expect(await askOver('WebSocket', conclave.url, token, query)).toHaveProperty('data.viewer.id'),
      async () => expect(await askOver('event stream', conclave.url, token, query)).toHaveProperty('data.viewer.id'),
      () => firstEventOf(bob, leaked),
      async () => expect((await get('/jobs/')).status).toBe(200),
      async () => expect(await boardStatusOf(conclave)).toBe(boardStatus),
      async () => expect((await get('/readyz')).status).toBe(200)
    ]
    await Promise.all(requests.map(inTime))
  }

  /** Of a subscription that begins now: what stands in the log already. */
  async function firstEventOf(reader: GraphQLClient, conversationId: string): Promise<void> {
    const after = await eventCursor(reader, conversationId)
    await send(reader, conversationId, 'in the log')
    const events = reader.subscribe(MessageEventsDocument, { conversationId, after })
    expect(brief(await events.next())).toBe('SENT in the log')
    events.stop()
  }
})

describe.runIf(canStartRedis)('whoever has Redis', () => {
  let processes: TwoProcesses<NonNullable<TwoProcesses['redis']>>
  beforeAll(async () => {
    processes = await bootTwoOnRedis()
  })
  afterAll(() => processes.close())

  it('sees neither titles nor texts nor names', async () => {
    const { here, there, redis } = processes
    const watcher = await redis.watch()
    const dora = await here.as('dora', { name: 'the name of Dora' })
    const id = await createConversation(dora, ['bob'], { title: 'the title of it' })
    const events = await follow(await there.as('bob'), id)
    await send(dora, id, 'the text of it')
    expect(brief(await events.next())).toBe('SENT the text of it')
    const seen = watcher.stop()
    expect(seen).toContain(`conclave:conversation:${id}`)
    for (const secret of ['the title', 'the text', 'the name']) expect(seen).not.toContain(secret)
  })

  it('can forge signals of every kind, by which nobody gets a message that is none, twice, or not at all', async () => {
    const { here, there, redis } = processes
    const alice = await here.as('alice')
    const id = await createConversation(alice, ['bob'])
    const bob = await there.as('bob')
    const events = await followLive(bob, id)
    const memberships = bob.subscribe(MembershipEventsDocument, {})
    await memberships.next()
    const topics = [`conversation:${id}`, `activity:${id}`, 'user:bob', 'marks:bob', `keys:${id}`, 'operation:forged']
    const forger = new Redis(redis.url)
    const payloads = ['', 'forged', id, '{"id":"forged","body":"forged"}', '\0'.repeat(10_000), 'keys:*', `keys:${id}`]
    try {
      for (const body of ['one', 'two', 'three']) {
        for (const topic of [...topics, 'conversation:*', '{keys}', 'forged'])
          for (const payload of payloads) await forger.publish(`conclave:${topic}`, payload)
        await send(alice, id, body)
      }
    } finally {
      forger.disconnect()
    }
    expect((await events.take(3)).map(brief)).toEqual(['SENT one', 'SENT two', 'SENT three'])
    await send(alice, id, 'the last one')
    expect(brief(await events.next())).toBe('SENT the last one')
    expect((await readBack(alice, id)).map(({ body }) => body).slice(-4)).toEqual([
      'one',
      'two',
      'three',
      'the last one'
    ])
    // Of marks one is told too many times, of conversations that one is in; of nothing else.
    const told = (await memberships.next()).membershipEvents
    expect(told).toEqual({ joined: [], left: [], read: [id] })
    for (const { logged } of [here, there]) expect(logged()).not.toContain('forged')
  })
})

describe.runIf(canStartRedis)('a worker', () => {
  it('finds its schedule again in a Redis that has kept nothing', async () => {
    const redis = await RedisServer.start()
    const conclave = await bootConclave({ redisUrl: redis.url, scanEveryMs: 200, keyPoolTarget: 1 })
    const worker = await startReadyWorker(conclave, placeOf(conclave, redis.url))
    try {
      await redis.kill()
      await redis.start()
      const rounds = vi.spyOn(conclave.workerServices.keySupply, 'refill')
      await vi.waitFor(() => expect(rounds.mock.calls.length).toBeGreaterThan(2), LATER)
    } finally {
      await worker.close()
      await conclave.close()
      await redis.stop()
    }
  }, 30_000)

  it.each<[string, (redis: RedisServer) => unknown]>([
    ['is away', (redis) => redis.kill()],
    ['says nothing', (redis) => redis.freeze()]
  ])(
    'that is told to stop while Redis %s does so as soon as its own jobs have ended, and no sooner',
    async (_, fail) => {
      const redis = await RedisServer.start()
      const conclave = await bootConclave({ redisUrl: redis.url, scanEveryMs: 200, keyPoolTarget: 1 })
      const begun = Promise.withResolvers<void>()
      const order: string[] = []
      // Its last statement takes longer than Redis is waited for.
      const refill = vi.spyOn(conclave.workerServices.keySupply, 'refill').mockImplementation(async (_target, stop) => {
        begun.resolve()
        if (!stop?.aborted) await once(stop ?? new EventTarget(), 'abort')
        await conclave.database.query('select pg_sleep(1.5)')
        order.push('the job has ended')
        return 0
      })
      const worker = await startReadyWorker(conclave, placeOf(conclave, redis.url))
      try {
        await begun.promise
        await fail(redis)
        await inTime(() => worker.close())
        order.push('the worker has ended')
        expect(order).toEqual(['the job has ended', 'the worker has ended'])
      } finally {
        refill.mockRestore()
        await conclave.close()
        await redis.start()
        await redis.stop()
      }
    },
    30_000
  )
})

async function boardStatusOf(conclave: TestConclave): Promise<number> {
  const authorization = `Bearer ${await conclave.token('admin', { scopes: ['keys:admin', 'keys:read'] })}`
  const board = `${conclave.url}/jobs/api/queues?page=1&jobsPerPage=10`
  return (await fetch(board, { headers: { authorization } })).status
}

async function readinessAt({ url }: TestConclave): Promise<object> {
  const response = await fetch(`${url}/readyz`)
  return { code: response.status, ...((await response.json()) as object) }
}

/** Settles once one process hears what the other says. */
async function untilHeard(from: TestConclave, to: TestConclave): Promise<void> {
  const wake = vi.fn()
  const leave = to.services.signals.subscribe('activity:heard?', wake)
  await vi.waitFor(() => {
    from.services.signals.publish('activity:heard?', 'heard')
    expect(wake).toHaveBeenCalledWith('heard')
  }, SOON)
  leave()
}
