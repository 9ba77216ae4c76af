import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { DeleteConversationDocument } from '../../documents/generated.js'
import type { RunningWorker } from '../../jobs/worker.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { canStartRedis, startRedisCluster, type TestRedisCluster } from '../support/redis.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

describe.runIf(canStartRedis)('on a Redis cluster', () => {
  let redis: TestRedisCluster
  let conclave: TestConclave
  let worker: RunningWorker
  beforeAll(async () => {
    redis = await startRedisCluster()
    conclave = await bootConclave({ redisUrl: redis.url })
    worker = await startReadyWorker(conclave, placeOf(conclave, redis.url))
  })
  afterAll(async () => {
    await worker.close()
    await conclave.close()
    await redis.stop()
  })

  it('a worker is nudged to its work, as on a single Redis', async () => {
    const alice = await conclave.as('alice')
    const id = await createConversation(alice, [])
    await send(alice, id, 'soon gone')
    await alice.run(DeleteConversationDocument, { conversationId: id })
    await vi.waitFor(
      async () => {
        expect(await conclave.database.query('select from messages where conversation_id = $1', [id])).toEqual([])
      },
      { timeout: 10_000 }
    )
  })

  it.each([
    ['one master', 1],
    ['every master', 2]
  ])('signals are heard again, on every channel, when %s has crashed and come back', async (_, count) => {
    const { signals } = conclave.services
    const wakes = new Map(Array.from({ length: 20 }, (_, index) => [`activity:${index}` as const, vi.fn()]))
    const leave = [...wakes].map(([topic, wake]) => signals.subscribe(topic, wake))
    const forgetAll = vi.spyOn(conclave.services.keyring, 'forgetAll')
    const crashed = redis.nodes.slice(0, count)
    for (const node of crashed) await node.kill()
    await vi.waitFor(() => expect(forgetAll).toHaveBeenCalled(), { timeout: 10_000 })
    for (const node of crashed) await node.start()
    await vi.waitFor(
      () => {
        for (const topic of wakes.keys()) signals.publish(topic, 'again')
        for (const wake of wakes.values()) expect(wake).toHaveBeenCalledWith('again')
      },
      { timeout: 20_000, interval: 200 }
    )
    for (const one of leave) one()
  })
})
