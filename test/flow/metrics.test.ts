import { once } from 'node:events'
import { connect } from 'node:net'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CreateConversationDocument,
  MessageEventsDocument,
  MessagesDocument,
  RotateKeyDocument,
  SendMessageDocument,
  VerifyKeyEventsDocument
} from '../../documents/generated.js'
import { openQueue, QUEUE_NAMES } from '../../jobs/queue.js'
import { startMetricsServer } from '../../src/graphql/metrics-server.js'
import { COUNT_KEYS } from '../../src/key-life/count-keys.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, followLive, readBack, send } from '../support/chat.js'
import { EventStreamClient } from '../support/event-streams.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { type Scrape, scrape } from '../support/scrape.js'
import { askOver, TRANSPORTS } from '../support/transports.js'
import { bootTwoOn } from '../support/two-processes.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

const HOUR_MS = 60 * 60 * 1000
const TOKEN = 'a-token-for-those-who-watch'
/** As often as somebody asks. */
const AT_ONCE = { metricsCountEveryMs: 0 }

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave(AT_ONCE)
  alice = await conclave.as('alice', { scopes: ['keys:read', 'keys:admin'] })
  bob = await conclave.as('bob')
  id = await createConversation(alice, ['bob'])
  await send(alice, id, 'the first')
})
afterAll(() => conclave.close())

const read = async () => await scrape(conclave.url)

/** The same, once the keys have been counted anew. */
async function readCounted(of: TestConclave = conclave): Promise<Scrape> {
  const run = vi.spyOn(of.workerServices.database, 'run')
  try {
    return await vi.waitFor(async () => {
      const scraped = await scrape(of.url)
      expect(run.mock.calls.map(([{ name }]) => name)).toContain(COUNT_KEYS.name)
      return scraped
    })
  } finally {
    run.mockRestore()
  }
}

/** What is counted while something is done. */
async function countedIn(
  work: () => Promise<unknown>,
  look = read
): Promise<(name: string, labels?: Record<string, string>) => number> {
  const before = await look()
  await work()
  const after = await look()
  return (name, labels) => after.since(before, name, labels)
}

describe('metrics beside the API', () => {
  it('are not there in production without a token', async () => {
    const production = await bootConclave({}, { NODE_ENV: 'production' })
    const response = await fetch(`${production.url}/metrics`)
    expect(response.status).toBe(404)
    expect(await response.text()).not.toContain('conclave_')
    await production.close()
  })

  it('are refused to whoever has not the token, and given to whoever has', async () => {
    const guarded = await bootConclave({}, { NODE_ENV: 'production', METRICS_TOKEN: TOKEN })
    const user = await guarded.token('alice', { scopes: ['keys:read', 'keys:admin'] })
    const refused = ['', `Bearer ${TOKEN.slice(0, -1)}`, `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN, `Bearer ${user}`]
    for (const authorization of refused) {
      const response = await fetch(`${guarded.url}/metrics`, { headers: { authorization } })
      expect(response.status, authorization).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(await response.text()).not.toContain('conclave_')
    }
    expect((await fetch(`${guarded.url}/metrics?token=${TOKEN}`)).status).toBe(401)
    expect((await scrape(guarded.url, TOKEN)).value('conclave_database_reachable')).toBe(1)
    await guarded.close()
  })

  it('cannot be read by a page of another origin', async () => {
    const response = await fetch(`${conclave.url}/metrics`, { headers: { origin: 'https://elsewhere.example' } })
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('metrics on a port of their own', () => {
  it('are beside the probes, and nothing else is', async () => {
    const server = await startMetricsServer(conclave.workerServices, 0)
    const token = await conclave.token('alice')
    const graphql = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { id } }' })
    })
    expect(graphql.status).toBe(404)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ status: 'ok' })
    expect((await scrape(server.url)).value('conclave_key_pool_target')).toBe(16)
    await server.close()
  })

  it.skipIf(process.platform !== 'linux')('are reached at the address only that they are bound to', async () => {
    const server = await startMetricsServer(conclave.services, 0)
    const reaches = async (host: string) => {
      const socket = connect(Number(new URL(server.url).port), host)
      const reached = await once(socket, 'connect').then(
        () => true,
        () => false
      )
      socket.destroy()
      return reached
    }
    expect(await reaches('127.0.0.2')).toBe(false)
    expect(await reaches('127.0.0.1')).toBe(true)
    await server.close()
  })

  it('ask for the token where there is one', async () => {
    const guarded = await bootConclave({}, { METRICS_TOKEN: TOKEN })
    const server = await startMetricsServer(guarded.services, 0)
    await expect(scrape(server.url)).rejects.toThrow('401')
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    expect((await scrape(server.url, TOKEN)).names).toContain('conclave_operations_total')
    await server.close()
    await guarded.close()
  })

  it('are refused a port that is taken, in words that name the variable', async () => {
    const { port } = new URL(conclave.url)
    await expect(startMetricsServer(conclave.services, Number(port))).rejects.toThrow('set METRICS_PORT to another')
  })
})

describe('an operation', () => {
  it('that fails is counted with its code', async () => {
    const stranger = await conclave.as('mallory')
    const counted = await countedIn(() =>
      stranger.execute(SendMessageDocument, { input: { conversationId: id, body: 'let me in' } })
    )
    expect(counted('conclave_operation_errors_total', { operation: 'sendMessage', code: 'NOT_FOUND' })).toBe(1)
    expect(counted('conclave_operation_errors_total')).toBe(1)
    expect(counted('conclave_operations_total', { operation: 'sendMessage', transport: 'http' })).toBe(1)
    expect(counted('conclave_messages_sent_total')).toBe(0)
  })

  it('that succeeds is counted without, and takes some time', async () => {
    const counted = await countedIn(() => alice.run(MessagesDocument, { id, last: 1 }))
    expect(counted('conclave_operations_total', { operation: 'conversation', transport: 'http' })).toBe(1)
    expect(counted('conclave_operation_duration_seconds_count', { operation: 'conversation' })).toBe(1)
    expect(counted('conclave_operation_duration_seconds_sum', { operation: 'conversation' })).toBeGreaterThan(0)
    expect(counted('conclave_operation_errors_total')).toBe(0)
  })

  it.each([
    ['HTTP', 'http'],
    ['WebSocket', 'websocket'],
    ['event stream', 'event_stream']
  ] as const)('over %s is counted as such, refused or not', async (by, transport) => {
    const token = await conclave.token('alice')
    const counted = await countedIn(async () => {
      await askOver(by, conclave.url, token, { query: '{ viewer { id } }' })
      await askOver(by, conclave.url, token, { query: '{ nothing }' })
      await askOver(by, conclave.url, token, { query: '{' })
    })
    expect(counted('conclave_operations_total', { operation: 'viewer', transport })).toBe(1)
    expect(counted('conclave_operations_total', { operation: 'unknown', transport })).toBe(2)
    expect(counted('conclave_operations_total')).toBe(3)
    expect(counted('conclave_operation_errors_total', { operation: 'unknown', code: 'BAD_USER_INPUT' })).toBe(2)
  })

  it('is counted once where its token is refused, or it is no request', async () => {
    const counted = await countedIn(async () => {
      await askOver('HTTP', conclave.url, 'refused', { query: '{ viewer { id } }' })
      await fetch(`${conclave.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{'
      })
    })
    expect(counted('conclave_operation_errors_total', { operation: 'unknown', code: 'UNAUTHENTICATED' })).toBe(1)
    expect(counted('conclave_operation_errors_total', { operation: 'unknown', code: 'BAD_USER_INPUT' })).toBe(1)
    expect(counted('conclave_operations_total', { operation: 'unknown' })).toBe(2)
  })

  it('is called by the field it asks for, wherever that stands, and whatever the client calls it', async () => {
    const token = await conclave.token('alice')
    const ask = async (query: string) => await askOver('HTTP', conclave.url, token, { query })
    const counted = await countedIn(async () => {
      await ask('query Invented { mine: viewer { id } }')
      await ask('query Invented { ...Me } fragment Me on Query { ... { viewer { id } } }')
      await ask('{ viewer { id } conversations { totalCount } }')
      await ask('{ __schema { queryType { name } } }')
    })
    expect(counted('conclave_operations_total', { operation: 'viewer' })).toBe(2)
    expect(counted('conclave_operations_total', { operation: 'several' })).toBe(1)
    expect(counted('conclave_operations_total', { operation: 'introspection' })).toBe(1)
  })

  it('makes no more series, whatever a thousand clients call theirs', { timeout: 120_000 }, async () => {
    const token = await conclave.token('alice')
    const ask = async (name: string) => {
      for (const by of TRANSPORTS.filter((by) => by === 'HTTP' || name.endsWith('00') || name === 'invented0')) {
        await askOver(by, conclave.url, token, {
          query: `query ${name} { ${name}: viewer { id } }`,
          operationName: name
        })
        await askOver(by, conclave.url, token, { query: `query ${name} { ${name} }` })
        await askOver(by, conclave.url, token, { query: '{ viewer { id } }', operationName: name })
      }
    }
    await ask('known00')
    const before = await read()
    const names = Array.from({ length: 1_000 }, (_, n) => `invented${n}`)
    await pLimit(20).map(names, ask)
    const after = await read()
    expect(after.since(before, 'conclave_operations_total')).toBe(3 * 1_000 + 2 * 3 * 10)
    expect(after.series).toEqual(before.series)
    expect(after.text).not.toContain('invented')
  })
})

describe('a message', () => {
  it('is counted when it is sent, and not when it is sent again', async () => {
    const input = { conversationId: id, body: 'once', clientMessageId: 'the only one' }
    const counted = await countedIn(async () => {
      await alice.run(SendMessageDocument, { input })
      await alice.run(SendMessageDocument, { input })
    })
    expect(counted('conclave_messages_sent_total')).toBe(1)
    expect(counted('conclave_send_statements_total')).toBe(2)
  })

  it('is counted when it is opened, with what that took', async () => {
    await readBack(bob, id)
    const warm = await countedIn(() => readBack(bob, id))
    expect(warm('conclave_messages_opened_total', { status: 'READABLE' })).toBeGreaterThan(0)
    expect(warm('conclave_key_cache_lookups_total', { cache: 'data_key', result: 'hit' })).toBeGreaterThan(0)
    expect(warm('conclave_key_cache_lookups_total', { result: 'miss' })).toBe(0)
    expect(warm('conclave_rsa_operations_total')).toBe(0)
    conclave.services.keyring.forgetAll()
    const cold = await countedIn(() => readBack(bob, id))
    expect(cold('conclave_key_cache_lookups_total', { cache: 'data_key', result: 'miss' })).toBeGreaterThan(0)
    expect(cold('conclave_key_cache_lookups_total', { cache: 'private_key', result: 'miss' })).toBeGreaterThan(0)
    expect(cold('conclave_rsa_operations_total', { operation: 'unwrap' })).toBeGreaterThan(0)
  })
})

describe('a subscriber', () => {
  const open = { operation: 'messageEvents', transport: 'websocket' }
  const isOpen = async (count: number, labels = open) =>
    await vi.waitFor(async () => expect((await read()).value('conclave_subscribers', labels) ?? 0).toBe(count))

  it('is counted for as long as it is there, and what it is given', async () => {
    await isOpen(0)
    const events = await followLive(bob, id)
    await isOpen(1)
    const counted = await countedIn(async () => {
      await send(alice, id, 'for the one who follows')
      await events.next()
    })
    expect(counted('conclave_deliveries_total')).toBe(1)
    expect(counted('conclave_delivery_lag_seconds_count')).toBe(1)
    events.stop()
    await isOpen(0)
  })

  it('that has gone without a word is not counted any more', async () => {
    const streams = new EventStreamClient(conclave.url, await conclave.token('bob'))
    const labels = { operation: 'messageEvents', transport: 'event_stream' }
    const event = streams.subscribe(MessageEventsDocument, { conversationId: id }).next()
    await isOpen(1, labels)
    streams.close()
    await event.catch(() => {})
    await isOpen(0, labels)
  })

  it('whose subscription is refused is none', async () => {
    const stranger = await conclave.as('mallory')
    const counted = await countedIn(() => stranger.subscribe(MessageEventsDocument, { conversationId: id }).ended)
    expect(counted('conclave_operation_errors_total', { operation: 'messageEvents', code: 'NOT_FOUND' })).toBe(1)
    await isOpen(0)
  })

  it('that goes on from where it was is a resume, and one that begins is none', async () => {
    const after = await eventCursor(bob, id)
    const counted = await countedIn(async () => {
      const events = bob.subscribe(MessageEventsDocument, { conversationId: id, after })
      await send(alice, id, 'after the cursor')
      await events.next()
      events.stop()
      const fresh = bob.subscribe(MessageEventsDocument, { conversationId: id })
      await isOpen(1)
      fresh.stop()
    })
    expect(counted('conclave_resumes_total', { operation: 'messageEvents' })).toBe(1)
    await isOpen(0)
  })

  it('is late by the time between the change and the socket, one process or two', async () => {
    const { here, there, close } = await bootTwoOn('PostgreSQL')
    const sender = await here.as('alice')
    const conversationId = await createConversation(sender, ['bob'])
    const events = await followLive(await there.as('bob'), conversationId)
    there.clock.advance(3_000)
    const before = await scrape(there.url)
    await send(sender, conversationId, 'three seconds ago')
    await events.next()
    const lag = async (name: string) => (await scrape(there.url)).since(before, `conclave_delivery_lag_seconds_${name}`)
    expect(await lag('count')).toBe(1)
    const apartMs = there.clock.now().getTime() - here.clock.now().getTime()
    expect(apartMs).toBeGreaterThanOrEqual(3_000)
    expect(await lag('sum')).toBeCloseTo(apartMs / 1000)
    await close()
  })
})

describe('the keys of the deployment', () => {
  it('move with a rotation, and the pool with it', async () => {
    await conclave.workerServices.keySupply.refill(2)
    const counted = await countedIn(() => alice.run(RotateKeyDocument, { conversationId: id }), readCounted)
    expect(counted('conclave_keys', { state: 'DEACTIVATED' })).toBe(1)
    expect(counted('conclave_keys', { state: 'ACTIVE' })).toBe(0)
    expect(counted('conclave_key_pool_pairs')).toBe(-1)
    expect(counted('conclave_master_key_private_keys', { master_key: 'local:test' })).toBe(0)
  })

  it('move with a new conversation, which takes a pair where there is one', async () => {
    const create = () => alice.run(CreateConversationDocument, { input: { memberIds: [] } })
    await conclave.database.query('delete from pooled_keys')
    const counted = await countedIn(create, readCounted)
    expect(counted('conclave_keys', { state: 'ACTIVE' })).toBe(1)
    expect(counted('conclave_master_key_private_keys', { master_key: 'local:test' })).toBe(1)
    expect(counted('conclave_rsa_operations_total', { operation: 'generate' })).toBe(1)
    expect(counted('conclave_rsa_operations_total', { operation: 'wrap' })).toBe(1)
  })

  it('are overdue for as long as nobody rotates them', async () => {
    const overdue = await bootConclave(AT_ONCE, { KEY_ROTATE_AFTER: 'PT1H' })
    const owner = await overdue.as('alice')
    await send(owner, await createConversation(owner, []), 'used')
    expect((await readCounted(overdue)).value('conclave_overdue_rotations')).toBe(0)
    overdue.clock.advance(3 * HOUR_MS)
    const late = await readCounted(overdue)
    expect(late.value('conclave_overdue_rotations')).toBe(1)
    expect(late.value('conclave_rotation_overdue_seconds')).toBe(2 * 3600)
    await overdue.close()
  })

  it('are counted once for all who read at the same time, and not again before their time', async () => {
    const seldom = await bootConclave({ metricsCountEveryMs: 60_000 })
    const run = vi.spyOn(seldom.workerServices.database, 'run')
    await Promise.all(Array.from({ length: 10 }, () => scrape(seldom.url)))
    const last = await scrape(seldom.url)
    expect(run.mock.calls.filter(([{ name }]) => name === COUNT_KEYS.name)).toHaveLength(1)
    expect(last.value('conclave_keys', { state: 'ACTIVE' })).toBe(0)
    await seldom.close()
  })

  it('are not shown as they were, where the database cannot be asked', async () => {
    const run = vi.spyOn(conclave.workerServices.database, 'run').mockRejectedValue(new Error('away'))
    const away = await vi.waitFor(async () => {
      const scraped = await read()
      expect(run).toHaveBeenCalled()
      return scraped
    })
    run.mockRestore()
    for (const name of ['conclave_keys', 'conclave_key_pool_pairs', 'conclave_keys_counted_timestamp_seconds']) {
      expect(away.value(name), name).toBeNull()
    }
    expect(away.value('conclave_operations_total')).toBeGreaterThan(0)
    expect((await readCounted()).value('conclave_keys', { state: 'ACTIVE' })).toBeGreaterThan(0)
  })
})

describe('the audit trail', () => {
  it('is neither valid nor invalid before it was verified, and then what was found', async () => {
    const fresh = await bootConclave(AT_ONCE)
    const auditor = await fresh.as('auditor', { scopes: ['keys:read'] })
    await createConversation(auditor, [])
    expect((await scrape(fresh.url)).value('conclave_audit_valid')).toBeNull()
    await auditor.run(VerifyKeyEventsDocument)
    const valid = await scrape(fresh.url)
    expect(valid.value('conclave_audit_valid')).toBe(1)
    expect(valid.value('conclave_audit_verified_timestamp_seconds')).toBe(fresh.clock.now().getTime() / 1000)
    await fresh.database.query('alter table key_events disable trigger all')
    await fresh.database.query(
      `update key_events set actor = 'somebody else' where sequence = (select min(sequence) from key_events)`
    )
    await auditor.run(VerifyKeyEventsDocument)
    expect((await scrape(fresh.url)).value('conclave_audit_valid')).toBe(0)
    await fresh.close()
  })
})

describe('a job', () => {
  it('is there before its first failure, and counted by its name, or as another', async () => {
    const working = await bootConclave({ scanEveryMs: 200 })
    const worker = await startReadyWorker(working, placeOf(working, null))
    const count = (scraped: Scrape, job_name: string) =>
      scraped.value('conclave_job_duration_seconds_count', { job_name })
    await vi.waitFor(
      async () => {
        const scraped = await scrape(working.url)
        for (const name of ['rotate-due', 'verify-audit']) expect(count(scraped, name)).toBeGreaterThan(0)
        expect(scraped.value('conclave_audit_valid')).toBe(1)
      },
      { timeout: 20_000 }
    )
    expect((await scrape(working.url)).value('conclave_job_failures_total', { job_name: 'rotate-due' })).toBe(0)
    const queue = openQueue(QUEUE_NAMES[0], placeOf(working, null))
    await queue.add('invented-by-somebody', {})
    await vi.waitFor(async () => expect(count(await scrape(working.url), 'other')).toBe(1), { timeout: 20_000 })
    expect((await scrape(working.url)).text).not.toContain('invented')
    await queue.close()
    await worker.close()
    await working.close()
  })
})

describe('what is read', () => {
  it('names no conversation, message, key or user', async () => {
    const { text } = await read()
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/i)
    for (const word of ['alice', 'bob', 'mallory', 'the first']) expect(text).not.toContain(word)
  })
})
