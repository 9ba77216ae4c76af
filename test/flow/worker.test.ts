import { randomUUID } from 'node:crypto'
import { Job } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CancelKeyOperationDocument,
  DeleteConversationDocument,
  KeyOperationDocument,
  KeyOperationProgressDocument,
  KeysDocument,
  MarkKeyCompromisedDocument,
  RotateDueKeysDocument,
  RotateKeyDocument
} from '../../documents/generated.js'
import { runOperation } from '../../jobs/key-operations.js'
import { openQueue, QUEUE_NAMES, type QueuePlace } from '../../jobs/queue.js'
import { schedule } from '../../jobs/schedule.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { hasRedis, startRedis, type TestRedis } from '../support/redis.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

const SOON = { timeout: 20_000 }

describe('workers with their queue in PostgreSQL', () => describeWorkers('PostgreSQL'))
describe.runIf(hasRedis)('workers with their queue in Redis', () => describeWorkers('Redis'))

/** The same for each place where the queue can be: what the workers do must not depend on it. */
function describeWorkers(where: 'PostgreSQL' | 'Redis'): void {
  let conclave: TestConclave
  let redis: TestRedis | null = null
  let place: QueuePlace
  let alice: GraphQLClient
  let admin: GraphQLClient

  beforeAll(async () => {
    redis = where === 'Redis' ? await startRedis() : null
    conclave = await bootConclave({ keyPoolTarget: 3, scanEveryMs: 500, redisUrl: redis?.url ?? null })
    place = placeOf(conclave, redis?.url ?? null)
    alice = await conclave.as('alice')
    admin = await conclave.as('admin', { scopes: ['keys:admin'] })
  })
  afterAll(async () => {
    await conclave.close()
    await redis?.stop()
  })

  const pooled = () => conclave.database.query('select from pooled_keys')

  it('fill the key pool, two of them as well as one, and stop when asked', async () => {
    const workers = await Promise.all([1, 2].map(() => startReadyWorker(conclave, place)))
    await vi.waitFor(async () => expect(await pooled()).toHaveLength(3), SOON)
    await Promise.all(workers.map((worker) => worker.close()))
    expect(await pooled()).toHaveLength(3)
  })

  it('have one scheduler for each line of the schedule, however often they start', async () => {
    for (let start = 0; start < 2; start++) await (await startReadyWorker(conclave, place)).close()
    const queue = openQueue('conclave-schedule', place)
    const schedulers = await queue.getJobSchedulers()
    expect(schedulers.map(({ key }) => key).sort()).toEqual(schedule.map(({ name }) => name).sort())
    await queue.close()
  })

  it('rotate a used key that has become due, and destroy one whose time is over, with nobody asking', async () => {
    const id = await createConversation(alice, [], { keyPolicy: { rotateAfter: 'P1D', destroyAfter: 'P1D' } })
    await send(alice, id, 'used')
    const worker = await startReadyWorker(conclave, place)
    const states = async () =>
      (await (await conclave.as('alice')).run(KeysDocument, { id })).conversation?.keys.map(({ state }) => state)
    for (const expected of ['DEACTIVATED', 'PENDING_DESTRUCTION', 'DESTROYED']) {
      conclave.clock.advance(expected === 'DESTROYED' ? 7 * 24 * 60 * 60 * 1000 : 24 * 60 * 60 * 1000)
      await vi.waitFor(async () => expect(await states()).toEqual([expected, 'ACTIVE']), SOON)
    }
    await worker.close()
    alice = await conclave.as('alice')
    admin = await conclave.as('admin', { scopes: ['keys:admin'] })
  })

  it('carry an operation to its end, with progress that can be watched', async () => {
    const id = await createConversation(alice, [])
    for (let index = 0; index < 3; index++) await send(alice, id, `message ${index}`)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    const [row] = await conclave.database.query<{ id: string }>(
      'select id from key_operations where conversation_id = $1',
      [id]
    )
    const progress = admin.subscribe(KeyOperationProgressDocument, { id: row?.id ?? '' })
    expect((await progress.next()).keyOperationProgress).toMatchObject({ kind: 'REENCRYPT', state: 'QUEUED', total: 3 })
    const told = vi.spyOn(Job.prototype, 'updateProgress')
    const worker = await startReadyWorker(conclave, place)
    expect((await progress.next()).keyOperationProgress).toMatchObject({ state: 'SUCCEEDED', done: 3, failed: 0 })
    await vi.waitFor(() => expect(told).toHaveBeenLastCalledWith({ done: 3, failed: 0, total: 3 }), SOON)
    expect(await progress.ended).toBeNull()
    expect((await readBack(alice, id)).map(({ status, keyVersion }) => [status, keyVersion])).toEqual(
      Array(3).fill(['READABLE', 2])
    )
    await worker.close()
  })

  it('leave a cancelled operation alone, and harm nothing by a job for what is gone', async () => {
    const id = await createConversation(alice, [])
    await alice.run(RotateKeyDocument, { conversationId: id })
    const { rotateDueKeys } = await admin.run(RotateDueKeysDocument)
    const { cancelKeyOperation } = await admin.run(CancelKeyOperationDocument, { id: rotateDueKeys.operation.id })
    expect(cancelKeyOperation.operation.state).toBe('CANCELLED')
    const queue = openQueue('conclave-operations', place)
    await queue.add('rotate-due', { id: rotateDueKeys.operation.id })
    await queue.add('reencrypt', { id: '01890000-0000-7000-8000-000000000000' })
    await queue.add('a job of another version', {})
    await alice.run(DeleteConversationDocument, { conversationId: id })
    const worker = await startReadyWorker(conclave, place)
    const rows = () => conclave.database.query('select from conversations where id = $1', [id])
    await vi.waitFor(async () => expect(await rows()).toEqual([]), SOON)
    const { keyOperation } = await admin.run(KeyOperationDocument, { id: rotateDueKeys.operation.id })
    expect(keyOperation).toMatchObject({ state: 'CANCELLED', done: 0 })
    expect(await queue.getFailedCount()).toBe(0)
    await queue.close()
    await worker.close()
  })

  it('go on after jobs that somebody has forged, do what is due, and say nothing of what was in them', async () => {
    const id = await createConversation(alice, [])
    await send(alice, id, 'not lost')
    const queues = QUEUE_NAMES.map((name) => openQueue(name, place))
    const worker = await startReadyWorker(conclave, place)
    for (const queue of queues) {
      for (const [name, data] of FORGED_JOBS)
        await queue.add(name, data, { removeOnComplete: true, removeOnFail: true })
    }
    await vi.waitFor(async () => {
      for (const queue of queues) expect(await queue.getJobCountByTypes('waiting', 'active', 'prioritized')).toBe(0)
    }, SOON)
    if (redis) await forgeInRedis(redis)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    await vi.waitFor(
      async () =>
        expect((await readBack(alice, id)).map(({ body, keyVersion }) => [body, keyVersion])).toEqual([
          ['not lost', 2]
        ]),
      SOON
    )
    expect(conclave.logged()).not.toContain('forged')
    for (const queue of queues) await queue.close()
    await worker.close()
  })
}

/** What the queue itself cannot read: a job that is none, and one that is not there. */
async function forgeInRedis({ url }: TestRedis): Promise<void> {
  const client = new Redis(url)
  for (const name of QUEUE_NAMES) {
    const job = { name: 'forged', data: '{"forged', opts: '{"forged', timestamp: 'forged' }
    await client.hset(`bull:${name}:forged`, job)
    await client.lpush(`bull:${name}:wait`, 'forged', 'not-there')
  }
  client.disconnect()
}

/** Of kinds that there are not, or are; of operations that there are not; and of what is no job's data. */
const FORGED_JOBS: [name: string, data: unknown][] = [
  'forged',
  'rotate-due',
  'destroy-due',
  'purge',
  'reencrypt'
].flatMap((name) =>
  [
    { id: randomUUID() },
    { id: `forged'; drop table messages` },
    { id: { forged: true } },
    { id: ['forged'] },
    { id: 4711 },
    { forged: 'x'.repeat(100_000) },
    null,
    'forged',
    []
  ].map((data): [string, unknown] => [name, data])
)

describe('a worker that is stopped while it rotates all due keys', () => {
  it('leaves the rest to the next one', async () => {
    const conclave = await bootConclave()
    await conclave.workerServices.keySupply.refill(6)
    const alice = await conclave.as('alice')
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    for (let made = 0; made < 3; made++) {
      await send(alice, await createConversation(alice, [], { keyPolicy: { rotateAfterMessages: 1 } }), 'used')
    }
    const { id } = (await admin.run(RotateDueKeysDocument)).rotateDueKeys.operation
    const stop = new AbortController()
    const { keySupply } = conclave.workerServices
    const rotate = keySupply.withKeyPair.bind(keySupply)
    vi.spyOn(keySupply, 'withKeyPair').mockImplementation((work) => {
      stop.abort()
      return rotate(work)
    })
    await runOperation(conclave.workerServices, id, stop.signal)
    const stateOf = async () => (await admin.run(KeyOperationDocument, { id })).keyOperation
    expect(await stateOf()).toMatchObject({ state: 'RUNNING', done: 1, total: 3 })
    await runOperation(conclave.workerServices, id, new AbortController().signal)
    expect(await stateOf()).toMatchObject({ state: 'SUCCEEDED', done: 3, failed: 0 })
    await conclave.close()
  })
})

describe('a scheduled job that does not end', () => {
  it('holds up no other', async () => {
    const conclave = await bootConclave({ scanEveryMs: 100, keyPoolTarget: 1 })
    const place = placeOf(conclave, null)
    const stuck = vi
      .spyOn(schedule[0] ?? { run: async () => {} }, 'run')
      .mockImplementation((_, stop) => new Promise((resolve) => stop.addEventListener('abort', () => resolve())))
    const worker = await startReadyWorker(conclave, place)
    const rounds = vi.spyOn(conclave.workerServices.keySupply, 'refill')
    await vi.waitFor(() => expect(rounds.mock.calls.length).toBeGreaterThan(8), SOON)
    expect(stuck).toHaveBeenCalledOnce()
    await worker.close()
    stuck.mockRestore()
    await conclave.close()
  })
})
