import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ActivityDocument,
  type ActivitySubscription,
  DeleteConversationDocument,
  MarkReadDocument,
  RemoveMemberDocument,
  SetTypingDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient, Subscribed } from '../support/graphql-client.js'
import { hasRedis, startRedis, type TestRedis } from '../support/redis.js'

describe('activity over PostgreSQL', () => describeActivity('PostgreSQL'))
describe.runIf(hasRedis)('activity over Redis', () => describeActivity('Redis'))

function describeActivity(where: 'PostgreSQL' | 'Redis'): void {
  let redis: TestRedis | null = null
  let here: TestConclave
  let there: TestConclave
  let alice: GraphQLClient
  let bob: GraphQLClient
  let id: string

  beforeAll(async () => {
    redis = where === 'Redis' ? await startRedis() : null
    here = await bootConclave({ redisUrl: redis?.url ?? null })
    there = await bootConclave({ redisUrl: redis?.url ?? null, databaseUrl: here.database.url })
    alice = await here.as('alice', { name: 'Alice' })
    bob = await there.as('bob')
  })
  afterAll(async () => {
    await there.close()
    await here.close()
    await redis?.stop()
  })

  const typing = (by: GraphQLClient, isTyping: boolean) =>
    by.execute(SetTypingDocument, { conversationId: id, typing: isTyping })

  /** Live: seen to hear of something. */
  async function follow(): Promise<Subscribed<ActivitySubscription>> {
    const events = bob.subscribe(ActivityDocument, { conversationId: id })
    const first = events.next()
    await vi.waitFor(
      async () => {
        here.services.signals.publish(`activity:${id}`, JSON.stringify({ kind: 'READ', userId: 'probe', sequence: 0 }))
        await Promise.race([first, new Promise((_, reject) => setTimeout(() => reject(new Error('not yet')), 50))])
      },
      { timeout: 10_000 }
    )
    return events
  }

  /** What is not a probe. */
  async function next(events: Subscribed<ActivitySubscription>) {
    for (;;) {
      const { activity } = await events.next()
      if (activity.user.id !== 'probe') return activity
    }
  }

  it('shows who types, in another process, once, until it is said otherwise', async () => {
    id = await createConversation(alice, ['bob'])
    const events = await follow()
    await typing(alice, true)
    expect(await next(events)).toMatchObject({ user: { id: 'alice', name: 'Alice' }, typing: true })
    await typing(alice, true)
    await typing(alice, false)
    expect(await next(events)).toMatchObject({ user: { id: 'alice' }, typing: false })
  })

  it('shows how far others have read, and nothing of what was before', async () => {
    id = await createConversation(alice, ['bob'])
    await send(bob, id, 'read me')
    await typing(alice, true)
    const events = await follow()
    await alice.run(MarkReadDocument, { conversationId: id, sequence: 1 })
    expect(await next(events)).toMatchObject({ user: { id: 'alice' }, sequence: 1 })
  })

  it('is bounded for each member: too often is RATE_LIMITED, with when to try again, and reading goes on', async () => {
    id = await createConversation(alice, ['bob'])
    await send(bob, id, 'read me')
    const answers = []
    for (let index = 0; index < 12; index++) answers.push(await typing(alice, index % 2 === 0))
    const refused = answers.flatMap(({ errors }) => errors ?? [])
    expect(refused[0]?.extensions).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) })
    expect((await typing(bob, true)).errors).toBeUndefined()
    await alice.run(MarkReadDocument, { conversationId: id, sequence: 1 })
  })

  it('is stored nowhere', async () => {
    const tables = await here.database.query<{ name: string }>(
      `select relname as name from pg_stat_user_tables where relname ~ 'typing|activity'`
    )
    expect(tables).toEqual([])
  })

  it('ends with FORBIDDEN for a member who is removed, and completes when the conversation is deleted', async () => {
    id = await createConversation(alice, ['bob'])
    const removed = await follow()
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    expect(await removed.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    id = await createConversation(alice, ['bob'])
    const deleted = await follow()
    await alice.run(DeleteConversationDocument, { conversationId: id })
    expect(await deleted.ended).toBeNull()
  })
}
