import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ConversationsDocument,
  CreateConversationDocument,
  DeleteConversationDocument,
  SendMessageDocument,
  ViewerDocument
} from '../../documents/generated.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { brief, createConversation, followLive, readBack, send } from '../support/chat.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'
import { inTime } from '../support/in-time.js'
import { InstalledProgram } from '../support/program.js'
import { canStartRedis, RedisServer } from '../support/redis.js'
import { TcpProxy } from '../support/tcp-proxy.js'

/** A database that is not there: at the start, in the middle, and with nothing left to give. */

let conclave: TestConclave
let proxy: TcpProxy
let proxied: string

beforeAll(async () => {
  conclave = await bootConclave()
  const url = new URL(conclave.database.url)
  proxy = await TcpProxy.start(Number(url.port))
  url.port = String(proxy.port)
  proxied = url.href
})
afterEach(() => proxy.restore())
afterAll(async () => {
  await conclave.close()
  await proxy.stop()
})

describe('a server that starts before its database', () => {
  let program: InstalledProgram
  const start = (url: string) =>
    program.startApi({ ...programEnvironment(conclave), DATABASE_URL: url, PORT: '0', LOG_LEVEL: 'warn' })

  beforeAll(async () => {
    program = await InstalledProgram.built()
  }, 120_000)
  afterAll(() => program.remove())

  it('does not wait for one that refuses its password, or does not have the database', async () => {
    const wrongPassword = Object.assign(new URL(conclave.database.url), { password: 'a wrong one' }).href
    const wrongDatabase = Object.assign(new URL(conclave.database.url), { pathname: '/nowhere' }).href
    for (const [url, code] of [
      [wrongPassword, '28P01'],
      [wrongDatabase, '3D000']
    ] as const) {
      const finished = await start(url).finished()
      expect(finished).toEqual({ code: 1, output: expect.stringContaining(`cannot be reached (${code})`) })
      expect(finished.output).not.toContain('waiting for it')
    }
  })

  it('says that it waits, ends when it is told to, and serves once the database is there', async () => {
    proxy.cut()
    const [patient, told] = [start(proxied), start(proxied)]
    for (const each of [patient, told]) await each.printed('waiting for it')
    expect(patient.output).not.toContain('a password')
    told.terminate()
    expect((await told.finished()).code).toBe(0)
    proxy.restore()
    const url = await patient.ready()
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    patient.terminate()
    expect((await patient.finished()).code).toBe(0)
  })

  it.runIf(canStartRedis)(
    'and its Redis, as a worker, says for which of them it waits, does what was asked for meanwhile, and ends in order where Redis says nothing any more',
    {
      timeout: 60_000
    },
    async () => {
      const alice = await conclave.as('alice')
      const id = await createConversation(alice, [])
      const redis = await RedisServer.start()
      await redis.kill()
      proxy.cut()
      const queue = { REDIS_URL: redis.url, SCAN_EVERY: 'PT1S', KEY_POOL_TARGET: '0' }
      const worker = program.startWorker({ ...programEnvironment(conclave), ...queue, DATABASE_URL: proxied })
      await worker.printed('the database cannot be reached yet: waiting for it')
      await alice.run(DeleteConversationDocument, { conversationId: id })
      proxy.restore()
      await worker.printed('the job queue is out of reach')
      expect(await conclave.database.query('select from conversations where id = $1', [id])).toHaveLength(1)
      await redis.start()
      await vi.waitFor(
        async () => expect(await conclave.database.query('select from conversations where id = $1', [id])).toEqual([]),
        { timeout: 20_000 }
      )
      redis.freeze()
      worker.terminate()
      // What does not end is ended with 1.
      expect((await worker.finished()).code).toBe(0)
      await redis.start()
      await redis.stop()
    }
  )
})

describe('while the database is away', () => {
  let here: TestConclave
  beforeAll(async () => {
    here = await bootConclave({}, { DATABASE_URL: proxied })
  })
  afterAll(() => here.close())

  it('a request fails in time with a code and a hint, and works when it is back; subscriptions hold, and nothing that was acknowledged is lost', async () => {
    const alice = await here.as('alice')
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(await here.as('bob'), id)
    await send(alice, id, 'before')
    proxy.cut()
    const input = { conversationId: id, body: 'meanwhile' }
    const { errors } = await inTime(() => alice.execute(SendMessageDocument, { input }))
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'INTERNAL', retryAfterMs: expect.any(Number) } })
    expect((await fetch(`${here.url}/readyz`)).status).toBe(503)
    expect((await fetch(`${here.url}/healthz`)).status).toBe(200)
    proxy.restore()
    await vi.waitFor(async () => expect((await alice.execute(ViewerDocument)).errors).toBeUndefined())
    await send(alice, id, 'after')
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual(['live?', 'before', 'after'])
    expect((await events.take(2)).map(brief)).toEqual(['SENT before', 'SENT after'])
  })
})

describe('while the database is silent', () => {
  it('what was under way fails in time with a code and a hint, also what wants a transaction, and works when it is back; a subscription is held over it', async () => {
    const here = await bootConclave({}, { DATABASE_URL: proxied })
    const alice = await here.as('alice')
    const id = await createConversation(alice, ['bob'])
    const events = await followLive(await here.as('bob'), id)
    proxy.silence()
    const input = { conversationId: id, body: 'meanwhile' }
    const results = await inTime(() =>
      Promise.all([
        alice.execute(SendMessageDocument, { input }),
        alice.execute(CreateConversationDocument, { input: { memberIds: [] } }),
        alice.execute(ConversationsDocument, { first: 1 })
      ])
    )
    for (const { errors } of results) {
      expect(errors?.[0]).toMatchObject({ extensions: { code: 'INTERNAL', retryAfterMs: expect.any(Number) } })
    }
    proxy.restore()
    await vi.waitFor(async () => expect((await alice.execute(SendMessageDocument, { input })).errors).toBeUndefined())
    // Of the first it is not known whether it was stored.
    const stored = (await readBack(alice, id)).map(({ body }) => body).slice(1)
    expect((await events.take(stored.length)).map(brief)).toEqual(stored.map((body) => `SENT ${body}`))
    await here.close()
  })
})

describe('when all connections are taken', () => {
  it('a request waits for one for some seconds, then fails in time with a hint; those that had them succeed', async () => {
    const small = await bootConclave({}, { DATABASE_POOL_MAX: '2' })
    const alice = await small.as('alice')
    const ids = [
      await createConversation(alice, []),
      await createConversation(alice, []),
      await createConversation(alice, [])
    ]
    const sendTo = (conversationId = '') =>
      alice.execute(SendMessageDocument, { input: { conversationId, body: 'once' } })
    const held = await Promise.all(ids.slice(0, 2).map((id) => holdConversation(small.database, id)))
    const first = ids.slice(0, 2).map(sendTo)
    await untilWaiting(small.database, 2)
    const { errors } = await inTime(() => sendTo(ids[2]))
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'INTERNAL', retryAfterMs: expect.any(Number) } })
    for (const transaction of held) await transaction.commit()
    for (const result of await Promise.all(first)) expect(result.errors).toBeUndefined()
    expect((await sendTo(ids[2])).errors).toBeUndefined()
    await small.close()
  })
})
