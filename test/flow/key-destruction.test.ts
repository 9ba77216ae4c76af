import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CancelKeyDestructionDocument,
  CancelKeyOperationDocument,
  ConversationDocument,
  DeleteConversationDocument,
  KeyEventsDocument,
  KeysDocument,
  MarkKeyCompromisedDocument,
  MessageEventsDocument,
  ReencryptConversationDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument
} from '../../documents/generated.js'
import { runOperation } from '../../jobs/key-operations.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, eventCursor, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { noteOverwritten } from '../support/overwritten.js'
import { runDueWork } from '../support/worker-run.js'

const DAY_MS = 24 * 60 * 60 * 1000

let conclave: TestConclave
let alice: GraphQLClient
let admin: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(5)
  alice = await conclave.as('alice')
  admin = await conclave.as('admin', { scopes: ['keys:admin'] })
})
afterAll(() => conclave.close())

describe('scheduling a destruction', () => {
  it('is refused without keys:admin, for a version that does not exist, and for durations that make no sense', async () => {
    const id = await rotatedConversation()
    const schedule = async (by: GraphQLClient, version: number, after: string) =>
      (await by.execute(ScheduleKeyDestructionDocument, { conversationId: id, version, after })).errors?.[0]?.extensions
    expect(await schedule(alice, 1, 'P7D')).toMatchObject({ code: 'FORBIDDEN' })
    expect(await schedule(admin, 3, 'P7D')).toMatchObject({ code: 'BAD_USER_INPUT', field: 'version' })
    expect(await schedule(admin, 0, 'P7D')).toMatchObject({ code: 'BAD_USER_INPUT', field: 'version' })
    for (const after of ['PT0S', '-P1D', 'soon', 'P11Y']) {
      expect(await schedule(admin, 1, after)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' })
    }
    expect(await statesOf(id)).toEqual(['DEACTIVATED', 'ACTIVE'])
  })

  it('of the active version is refused, saying to rotate first', async () => {
    const id = await rotatedConversation()
    const { errors } = await admin.execute(ScheduleKeyDestructionDocument, {
      conversationId: id,
      version: 2,
      after: 'PT1S'
    })
    expect(errors).toMatchObject([
      { message: expect.stringContaining('Rotate the key first'), extensions: { code: 'CONFLICT' } }
    ])
  })

  it('takes the messages out of reach at once, and cancelling brings them back', async () => {
    const id = await rotatedConversation()
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' })
    expect(await statusesOf(id)).toEqual(['UNREADABLE', 'READABLE'])
    await admin.run(CancelKeyDestructionDocument, { conversationId: id, version: 1 })
    expect(await statusesOf(id)).toEqual(['READABLE', 'READABLE'])
    const again = await admin.execute(CancelKeyDestructionDocument, { conversationId: id, version: 1 })
    expect(again.errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  })
})

describe('a destroyed key version', () => {
  it('leaves KEY_DESTROYED behind, no bytes, a working subscription and the title', async () => {
    const id = await createConversation(alice, ['bob'], { title: 'Kept' })
    await send(alice, id, 'to be destroyed')
    await alice.run(RotateKeyDocument, { conversationId: id })
    const after = await eventCursor(alice, id)
    const events = (await conclave.as('bob')).subscribe(MessageEventsDocument, { conversationId: id, after })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'PT1S' })
    conclave.clock.advance(1000)
    await runDueWork(conclave)
    expect(await statusesOf(id)).toEqual(['KEY_DESTROYED'])
    await send(alice, id, 'after it')
    expect((await events.next()).messageEvents.message).toMatchObject({ body: 'after it', keyVersion: 2 })
    expect((await alice.run(ConversationDocument, { id })).conversation?.title).toBe('Kept')
    const rows = await conclave.database.query(
      `select k.state, k.wrapped_private_key, d.wrapped_key from conversation_keys k
         join data_keys d on d.conversation_id = k.conversation_id and d.key_version = k.version
        where k.conversation_id = $1 and k.version = 1`,
      [id]
    )
    expect(rows).toEqual([{ state: 'DESTROYED', wrapped_private_key: null, wrapped_key: null }])
    const attempts = [
      await admin.execute(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'P7D' }),
      await admin.execute(CancelKeyDestructionDocument, { conversationId: id, version: 1 }),
      await admin.execute(MarkKeyCompromisedDocument, { conversationId: id, version: 1 }),
      await admin.execute(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
    ]
    for (const { errors } of attempts) expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  })

  it('is overwritten before it is dropped', async () => {
    await conclave.database.query(`
      create table written (bytes bytea);
      create function note_key() returns trigger language plpgsql security definer as
        $$ begin insert into written values (new.wrapped_private_key); return null; end $$;
      create function note_data_key() returns trigger language plpgsql security definer as
        $$ begin insert into written values (new.wrapped_key); return null; end $$;
      create trigger note after update of wrapped_private_key on conversation_keys for each row execute function note_key();
      create trigger note after update of wrapped_key on data_keys for each row execute function note_data_key()`)
    const id = await rotatedConversation()
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'PT1S' })
    conclave.clock.advance(1000)
    await runDueWork(conclave)
    const written = await conclave.database.query<{ bytes: Buffer | null }>('select bytes from written')
    const zeros = written.filter(({ bytes }) => bytes?.every((byte) => byte === 0))
    expect([zeros.length, written.filter(({ bytes }) => bytes === null).length]).toEqual([2, 2])
    await conclave.database.query('drop trigger note on conversation_keys; drop trigger note on data_keys')
  })

  it('is gone from the memory of other processes by a signal', async () => {
    const other = await bootConclave({ databaseUrl: conclave.database.url })
    const id = await rotatedConversation()
    await readBack(await other.as('alice'), id)
    const forget = vi.spyOn(other.services.keyring, 'forget')
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'PT1S' })
    await vi.waitFor(() => expect(forget).toHaveBeenCalledWith(id), { timeout: 5_000 })
    conclave.clock.advance(1000)
    await runDueWork(conclave)
    const seen = await readBack(await other.as('alice'), id)
    expect(seen.map(({ status }) => status)).toEqual(['KEY_DESTROYED', 'READABLE'])
    await other.close()
  })
})

describe('the end of a recipient-usage period', () => {
  it('leads over the grace period to destruction, each step at its time', async () => {
    const aging = await bootConclave()
    const id = await createConversation(await aging.as('alice'), [], {
      keyPolicy: { rotateAfter: 'P10D', destroyAfter: 'P20D' }
    })
    await send(await aging.as('alice'), id, 'day 0')
    const walk = async (days: number) => {
      aging.clock.advance(days * DAY_MS)
      await runDueWork(aging)
      return (await (await aging.as('alice')).run(KeysDocument, { id })).conversation?.keys.map(({ state }) => state)
    }
    expect(await walk(9)).toEqual(['ACTIVE'])
    expect(await walk(1)).toEqual(['DEACTIVATED', 'ACTIVE'])
    expect(await walk(19)).toEqual(['DEACTIVATED', 'ACTIVE'])
    expect(await walk(1)).toEqual(['PENDING_DESTRUCTION', 'ACTIVE'])
    expect(await walk(6)).toEqual(['PENDING_DESTRUCTION', 'ACTIVE'])
    expect(await walk(1)).toEqual(['DESTROYED', 'ACTIVE'])
    const auditor = await aging.as('auditor', { scopes: ['keys:read'] })
    const { keyEvents } = await auditor.run(KeyEventsDocument, { conversationId: id, first: 50 })
    expect(keyEvents.nodes.map(({ action, keyVersion, actor }) => [action, keyVersion, actor])).toEqual([
      ['key.activated', 1, 'alice'],
      ['key.policy-set', null, 'alice'],
      ['key.deactivated', 1, 'scheduler'],
      ['key.activated', 2, 'scheduler'],
      ['key.destruction-scheduled', 1, 'scheduler'],
      ['key.destroyed', 1, 'scheduler']
    ])
    await aging.close()
  })
})

describe('a compromised key version', () => {
  it('is rotated away from, its messages encrypted anew, and destroyed; every message stays readable', async () => {
    const id = await createConversation(alice, [], { title: 'Moves along' })
    const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`)
    for (const body of bodies) await send(alice, id, body)
    const before = await envelopes(id)
    const { markKeyCompromised } = await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    expect(markKeyCompromised.key).toMatchObject({ version: 1, state: 'COMPROMISED' })
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual(bodies)
    await runDueWork(conclave)
    expect((await readBack(alice, id)).map(({ body, keyVersion }) => [body, keyVersion])).toEqual(
      bodies.map((body) => [body, 2])
    )
    expect((await alice.run(ConversationDocument, { id })).conversation?.title).toBe('Moves along')
    const keys = (await alice.run(KeysDocument, { id })).conversation?.keys
    expect(keys?.map(({ state, messageCount }) => [state, messageCount])).toEqual([
      ['DESTROYED', 0],
      ['ACTIVE', 12]
    ])
    for (const envelope of await envelopes(id)) expect(before).not.toContain(envelope)
  })

  it('leaves none of the bodies in memory that are encrypted anew', async () => {
    const id = await createConversation(alice, [])
    for (const body of ['the first', 'the second']) await send(alice, id, body)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    const overwritten = noteOverwritten()
    await runDueWork(conclave)
    vi.restoreAllMocks()
    expect(await statesOf(id)).toEqual(['DESTROYED', 'ACTIVE'])
    expect(overwritten.map(String)).toEqual(expect.arrayContaining(['the first', 'the second']))
  })

  it('has also those messages encrypted anew whose data keys were moved away from it before', async () => {
    const id = await rotatedConversation()
    await admin.run(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
    await runDueWork(conclave)
    const before = await envelopes(id)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    await runDueWork(conclave)
    // The second message never lay under the first version.
    const [moved, kept] = await envelopes(id)
    expect(before).not.toContain(moved)
    expect(kept).toBe(before[1])
    expect(await statusesOf(id)).toEqual(['READABLE', 'READABLE'])
    expect(await statesOf(id)).toEqual(['DESTROYED', 'ACTIVE'])
    const [operation] = await conclave.database.query(
      `select total, done from key_operations where conversation_id = $1 order by created_at desc, id desc limit 1`,
      [id]
    )
    expect(operation).toEqual({ total: 1, done: 1 })
  })

  it('ends although a version is destroyed to which its data keys had been moved before', async () => {
    const id = await rotatedConversation()
    await admin.run(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
    await runDueWork(conclave)
    await alice.run(RotateKeyDocument, { conversationId: id })
    await admin.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 2, after: 'PT1S' })
    conclave.clock.advance(1000)
    await runDueWork(conclave)
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    await runDueWork(conclave)
    expect(await statesOf(id)).toEqual(['DESTROYED', 'DESTROYED', 'ACTIVE'])
  })

  it('is readable at every moment while it is encrypted anew, also when that is cancelled and begun again', async () => {
    const id = await createConversation(alice, [])
    const bodies = Array.from({ length: 300 }, (_, index) => `message ${index}`)
    await Promise.all(bodies.map((body) => send(alice, id, body)))
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    let working = true
    const reading = (async () => {
      const statuses = new Set<string>()
      while (working) for (const { status } of await readBack(alice, id)) statuses.add(status)
      return [...statuses]
    })()
    await oneStep(id)
    await admin.run(CancelKeyOperationDocument, { id: await operationOf(id) })
    await admin.run(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
    await runDueWork(conclave)
    working = false
    expect(await reading).toEqual(['READABLE'])
    expect(await statesOf(id)).toEqual(['DESTROYED', 'ACTIVE'])
    expect((await readBack(alice, id)).map(({ body }) => body).sort()).toEqual([...bodies].sort())
  })

  it('is kept when a message in it cannot be opened, and the operation says so', async () => {
    const id = await createConversation(alice, [])
    for (const body of ['one', 'two', 'three']) await send(alice, id, body)
    await conclave.database.query(
      `update messages set envelope = substr(envelope, 1, 20) where conversation_id = $1 and sequence = 2`,
      [id]
    )
    await admin.run(MarkKeyCompromisedDocument, { conversationId: id, version: 1 })
    await runDueWork(conclave)
    expect(await statesOf(id)).toEqual(['COMPROMISED', 'ACTIVE'])
    expect(await statusesOf(id)).toEqual(['READABLE', 'UNREADABLE', 'READABLE'])
    const [operation] = await conclave.database.query(
      'select state, done, failed from key_operations where conversation_id = $1',
      [id]
    )
    expect(operation).toEqual({ state: 'FAILED', done: 2, failed: 1 })
  })
})

describe('re-encrypting after a rotation', () => {
  it('is refused for the active version', async () => {
    const id = await rotatedConversation()
    const { errors } = await admin.execute(ReencryptConversationDocument, { conversationId: id, fromVersion: 2 })
    expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  })

  it('moves the data keys and leaves the ciphertexts as they are', async () => {
    const id = await rotatedConversation()
    const before = await envelopes(id)
    await admin.run(ReencryptConversationDocument, { conversationId: id, fromVersion: 1 })
    await runDueWork(conclave)
    conclave.services.keyring.forgetAll()
    expect((await readBack(alice, id)).map(({ keyVersion, status }) => [keyVersion, status])).toEqual([
      [2, 'READABLE'],
      [2, 'READABLE']
    ])
    expect(await envelopes(id)).toEqual(before)
  })
})

describe('deleting a conversation', () => {
  it('destroys its keys in the request, and a job takes the rows away', async () => {
    const id = await rotatedConversation()
    await alice.run(DeleteConversationDocument, { conversationId: id })
    const wrapped = await conclave.database.query(
      `select from conversation_keys where conversation_id = $1 and (state <> 'DESTROYED' or wrapped_private_key is not null)`,
      [id]
    )
    expect(wrapped).toEqual([])
    await runDueWork(conclave)
    for (const table of ['messages', 'members', 'data_keys', 'conversation_keys']) {
      expect(await conclave.database.query(`select from ${table} where conversation_id = $1`, [id])).toEqual([])
    }
    expect(await conclave.database.query('select from key_events where conversation_id = $1', [id])).not.toEqual([])
  })
})

/** One message under version 1, one under version 2. */
async function rotatedConversation(): Promise<string> {
  const id = await createConversation(alice, [])
  await send(alice, id, 'under version 1')
  await alice.run(RotateKeyDocument, { conversationId: id })
  await send(alice, id, 'under version 2')
  return id
}

/** What a worker does that is stopped after the first step. */
async function oneStep(conversationId: string): Promise<void> {
  const stop = new AbortController()
  await runOperation(conclave.workerServices, await operationOf(conversationId), stop.signal, async () => stop.abort())
}

/** The latest operation on the keys of a conversation. */
async function operationOf(conversationId: string): Promise<string> {
  const [row] = await conclave.database.query<{ id: string }>(
    'select id from key_operations where conversation_id = $1 order by created_at desc, id desc limit 1',
    [conversationId]
  )
  return row?.id ?? ''
}

async function statesOf(id: string) {
  return (await alice.run(KeysDocument, { id })).conversation?.keys.map(({ state }) => state)
}

async function statusesOf(id: string) {
  return (await readBack(alice, id)).map(({ status }) => status)
}

async function envelopes(id: string): Promise<string[]> {
  const rows = await conclave.database.query<{ hex: string }>(
    `select encode(envelope, 'hex') as hex from messages where conversation_id = $1 order by sequence`,
    [id]
  )
  return rows.map(({ hex }) => hex)
}
