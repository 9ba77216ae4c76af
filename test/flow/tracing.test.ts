import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { systemClock } from '../../src/clock.js'
import { signToken } from '../../src/identity/sign-token.js'
import { createConversation, followLive } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { canStartRedis, RedisServer } from '../support/redis.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { type ReceivedSpan, TraceReceiver } from '../support/trace-receiver.js'
import { askOver } from '../support/transports.js'

const SECRET = 'only for tests, and long enough for HS256'
const BODY = 'nobody else is to read this'
/** As a client would like to have itself traced. */
const FORGED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

let program: InstalledProgram
beforeAll(async () => {
  program = await InstalledProgram.built()
}, 120_000)
afterAll(() => program.remove())

interface Traced {
  receiver: TraceReceiver
  tokens: string[]
}

/** A message that Alice sends to one process, and Bob gets from another one; and what else they do there. */
async function sendAcross(redisUrl: string | null, tracing: Record<string, string> = {}): Promise<Traced> {
  const database = await createTestDatabase()
  const receiver = await TraceReceiver.start()
  const processes: RunningProgram[] = []
  const start = async () => {
    const running = program.startApi({ ...environment(database, redisUrl), ...endpointOf(receiver), ...tracing })
    processes.push(running)
    return await running.ready()
  }
  const [here, there] = [await start(), await start()]
  const tokens = [await tokenOf('alice'), await tokenOf('bob')]
  const [alice, bob] = [new GraphQLClient(here, tokens[0] ?? ''), new GraphQLClient(there, tokens[1] ?? '')]
  const id = await createConversation(alice, ['bob'], { title: BODY })
  const events = await followLive(bob, id)
  await alice.run(SendMessageDocument, { input: { conversationId: id, body: BODY } })
  await events.next()
  await askOver('WebSocket', here, tokens[0] ?? '', { query: '{ viewer { id } }' })
  await fetch(`${here}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens[0]}`, traceparent: FORGED },
    body: JSON.stringify({ query: `{ conversation(id: "${id}") { members(first: 1) { totalCount } } }` })
  })
  await bob.close()
  // The last spans are sent on the way out.
  for (const running of processes) running.terminate()
  for (const running of processes) expect(await running.finished()).toMatchObject({ code: 0 })
  await database.drop()
  await receiver.stop()
  return { receiver, tokens }
}

const endpointOf = ({ url }: TraceReceiver) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url })

function environment({ url }: TestDatabase, redisUrl: string | null): Record<string, string> {
  return {
    PORT: '0',
    DATABASE_URL: url,
    ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
    MASTER_KEY: 'local:test',
    MASTER_SECRETS: `test=${Buffer.alloc(32, 7).toString('base64')}`,
    AUTH_JWT_SECRET: SECRET,
    KEY_BITS: '2048'
  }
}

async function tokenOf(userId: string): Promise<string> {
  const authentication = { jwtSecret: SECRET, jwksUrl: null, issuer: null, audience: null }
  return (await signToken(authentication, systemClock, { userId, name: undefined, scopes: [] })).token
}

/** Names on the way from the root to the span of this name. */
function pathTo(trace: ReceivedSpan[], name: string): string[] {
  const path: string[] = []
  for (let span = trace.findLast((each) => each.name === name); span; ) {
    path.unshift(span.name)
    const { parentSpanId } = span
    span = trace.find(({ spanId }) => spanId === parentSpanId)
  }
  return path
}

describe('without a collector', () => {
  it('nothing is traced', async () => {
    const { receiver } = await sendAcross(null, { OTEL_EXPORTER_OTLP_ENDPOINT: '' })
    expect(receiver.text).toBe('')
  }, 60_000)

  it('or with a share of nothing, there is nothing either', async () => {
    const { receiver } = await sendAcross(null, { OTEL_TRACES_SAMPLER_ARG: '0' })
    expect(receiver.spans).toEqual([])
  }, 60_000)
})

const carriers = ['PostgreSQL', ...(canStartRedis ? ['Redis'] : [])]

describe.each(carriers)('a message that is sent, with signals over %s', (carrier) => {
  let redis: RedisServer | null
  let receiver: TraceReceiver
  let tokens: string[]

  beforeAll(async () => {
    redis = carrier === 'Redis' ? await RedisServer.start() : null
    ;({ receiver, tokens } = await sendAcross(redis?.url ?? null))
  }, 60_000)
  afterAll(() => redis?.stop())

  it('is one trace from its request to the socket of another process', () => {
    const trace = receiver.traceOf('socket')
    expect(pathTo(trace, 'sql store-message')).toEqual(['POST /graphql', 'sendMessage', 'store', 'sql store-message'])
    expect(pathTo(trace, 'signal')).toEqual(['POST /graphql', 'sendMessage', 'signal'])
    const delivery = ['POST /graphql', 'sendMessage', 'signal', 'deliver']
    expect(pathTo(trace, 'sql read-tail-of-log')).toEqual([...delivery, 'sql read-tail-of-log'])
    expect(pathTo(trace, 'socket')).toEqual([...delivery, 'socket'])
  })

  it('goes on with no trace that a client has named', () => {
    expect(receiver.text).not.toContain('a'.repeat(32))
    expect(receiver.traceOf('conversation').map(({ name }) => name)).toContain('POST /graphql')
  })

  it('leaves what comes over a socket a trace of its own', () => {
    const [root, ...below] = receiver.traceOf('viewer').filter(({ parentSpanId }) => !parentSpanId)
    expect(root?.name).toBe('viewer')
    expect(below).toEqual([])
  })

  it('leaves no statement without a request that it belongs to', () => {
    expect(receiver.spans.filter(({ name, parentSpanId }) => name.startsWith('sql') && !parentSpanId)).toEqual([])
  })

  it('is nowhere in what was traced, nor is who has sent it, where, or under which token', () => {
    const ids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-/i
    expect(receiver.text).toContain('sendMessage')
    expect(receiver.text).not.toMatch(ids)
    for (const word of [BODY, 'alice', 'bob', ...tokens.map((token) => token.split('.')[2] ?? '')]) {
      expect(receiver.text).not.toContain(word)
    }
  })
})
