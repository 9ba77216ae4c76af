import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeysDocument, MarkKeyCompromisedDocument, SetKeyPolicyDocument } from '../../documents/generated.js'
import { verifyKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { manyConversations } from '../support/many-conversations.js'
import { InstalledProgram } from '../support/program.js'
import { hasRedis, startRedis, type TestRedis } from '../support/redis.js'
import { isLong } from '../support/soak-length.js'

const [CONVERSATIONS, MESSAGES, KILLS] = isLong ? [200, 1500, 30] : [80, 500, 6]

let conclave: TestConclave
let redis: TestRedis | null = null
let program: InstalledProgram
let alice: GraphQLClient
let admin: GraphQLClient

beforeAll(async () => {
  program = await InstalledProgram.built()
}, 120_000)
afterAll(() => program.remove())

describe(`a worker with its queue in PostgreSQL, killed ${KILLS} times`, () => describeKills('PostgreSQL'))
describe.runIf(hasRedis)(`a worker with its queue in Redis, killed ${KILLS} times`, () => describeKills('Redis'))

function describeKills(where: 'PostgreSQL' | 'Redis'): void {
  beforeAll(async () => {
    redis = where === 'Redis' ? await startRedis() : null
    conclave = await bootConclave({ redisUrl: redis?.url ?? null })
    alice = await conclave.as('alice')
    admin = await conclave.as('admin', { scopes: ['keys:admin', 'keys:read'] })
  })
  afterAll(async () => {
    await conclave.close()
    await redis?.stop()
  })

  it('leaves work that the next one finishes: nothing is lost, and nothing done twice', {
    timeout: 600_000
  }, async () => {
    const due = await dueConversations()
    const compromised = await compromisedConversation()
    for (let kill = 0; kill < KILLS; kill++) {
      const worker = program.startWorker(environment())
      await worker.printed("Conclave's worker runs")
      // At any moment of its work: the seed does not matter, the moment does.
      await new Promise((resolve) => setTimeout(resolve, randomInt(10, 250)))
      await worker.kill()
    }
    const last = program.startWorker(environment())
    await vi.waitFor(async () => expect(await unfinished()).toEqual({ due: 0, operations: 0 }), {
      timeout: 300_000,
      interval: 200
    })
    await last.interrupt()

    for (const id of due)
      expect(await eventsOf(id)).toEqual(['key.activated 1', 'key.deactivated 1', 'key.activated 2'])
    const messages = await readBack(alice, compromised)
    expect(messages.map(({ body, keyVersion }) => [body, keyVersion])).toEqual(
      Array.from({ length: MESSAGES }, (_, index) => [`message ${index}`, 2])
    )
    const keys = (await alice.run(KeysDocument, { id: compromised })).conversation?.keys
    expect(keys?.map(({ state, messageCount }) => [state, messageCount])).toEqual([
      ['DESTROYED', 0],
      ['ACTIVE', MESSAGES]
    ])
    const counted = (await eventsOf(compromised)).filter((event) => event.startsWith('key.reencrypted'))
    expect(counted).toHaveLength(MESSAGES / 250)
    expect(await verifyKeyEvents(conclave.services)).toMatchObject({ valid: true })
  })
}

/** Conversations whose key is used and overdue. */
async function dueConversations(): Promise<string[]> {
  const ids = await manyConversations(conclave, alice, CONVERSATIONS)
  await Promise.all(
    ids.map((id) => alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'PT0.001S' } }))
  )
  return ids
}

async function compromisedConversation(): Promise<string> {
  const id = await createConversation(alice, [])
  for (let index = 0; index < MESSAGES; index++) await send(alice, id, `message ${index}`)
  await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
  return id
}

async function unfinished(): Promise<{ due: number; operations: number } | undefined> {
  const [row] = await conclave.database.query<{ due: number; operations: number }>(
    `select (select count(*)::integer from conversations where key_used and key_rotates_at <= now()) as due,
            (select count(*)::integer from key_operations where finished_at is null) as operations`
  )
  return row
}

async function eventsOf(id: string): Promise<string[]> {
  const rows = await conclave.database.query<{ event: string }>(
    `select action || ' ' || coalesce(key_version, 0) as event from key_events
      where conversation_id = $1 and action like 'key.%' and action <> 'key.policy-set' order by sequence`,
    [id]
  )
  return rows.map(({ event }) => event)
}

function environment(): Record<string, string> {
  return {
    ...programEnvironment(conclave),
    ...(redis && { REDIS_URL: redis.url }),
    KEY_POOL_TARGET: '0',
    SCAN_EVERY: 'PT0.1S'
  }
}
