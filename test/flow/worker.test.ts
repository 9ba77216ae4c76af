import { createPostgresBackend, Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { schedule } from '../../jobs/schedule.js'
import { startWorker } from '../../jobs/worker.js'
import { bootConclave, type TestConclave } from '../support/boot.js'

let conclave: TestConclave

beforeAll(async () => {
  conclave = await bootConclave({ keyPoolTarget: 3, scanEveryMs: 500 })
})
afterAll(() => conclave.close())

const pooled = () => conclave.database.query('select from pooled_keys')

describe('workers', () => {
  it('fill the key pool, two of them as well as one, and stop when asked', async () => {
    const workers = await Promise.all([1, 2].map(() => startWorker(conclave.services, conclave.database.url)))
    await vi.waitFor(async () => expect(await pooled()).toHaveLength(3), { timeout: 20_000 })
    await Promise.all(workers.map((worker) => worker.close()))
    expect(await pooled()).toHaveLength(3)
  })

  it('have one scheduler for each line of the schedule, however often they start', async () => {
    for (let start = 0; start < 2; start++) await (await startWorker(conclave.services, conclave.database.url)).close()
    const connection = { connectionString: conclave.database.url, schema: 'bullmq' }
    const queue = new Queue('conclave', { connection }, createPostgresBackend)
    const schedulers = await queue.getJobSchedulers()
    expect(schedulers.map(({ key }) => key)).toEqual(schedule.map(({ name }) => name))
    await queue.close()
  })
})

describe('filling the key pool', () => {
  it('stops soon after it is asked to, and leaves the rest to a later run', async () => {
    const stop = new AbortController()
    stop.abort()
    await conclave.database.query('delete from pooled_keys')
    expect(await conclave.services.keySupply.refill(3, stop.signal)).toBe(0)
    expect(await pooled()).toHaveLength(0)
  })
})
