import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  CancelKeyDestructionDocument,
  MarkKeyCompromisedDocument,
  ScheduleKeyDestructionDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'

/** What somebody may try who runs code in an API process or a worker, with its login and past its code. */

let conclave: TestConclave
let client: pg.Client
let worker: pg.Client
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  client = new pg.Client({ connectionString: conclave.database.urlOf('conclave_api') })
  worker = new pg.Client({ connectionString: conclave.database.urlOf('conclave_worker') })
  await Promise.all([client.connect(), worker.connect()])
})
afterAll(async () => {
  await Promise.all([client.end(), worker.end()])
  await conclave.close()
})
beforeEach(async () => {
  id = await createConversation(await conclave.as('alice'), [])
})

const DEACTIVATE = `update conversation_keys set state = 'DEACTIVATED', deactivated_at = now() where conversation_id = $1`
const COMPROMISE = `update conversation_keys set state = 'COMPROMISED', compromised_at = now() where conversation_id = $1`
const SCHEDULE = `
  update conversation_keys set state = 'PENDING_DESTRUCTION', state_before_destruction = state, destroys_at = now()
   where conversation_id = $1`
const RESTORE = `
  update conversation_keys set state = 'DEACTIVATED', state_before_destruction = null, destroys_at = null where conversation_id = $1`
const OWN_PAIR = `
  insert into conversation_keys (conversation_id, version, key_id, state, modulus_bits, public_key, wrapped_private_key,
                                 master_key, rotation_reason, created_at, activated_at)
  select conversation_id, 2, gen_random_uuid(), 'ACTIVE', modulus_bits, '\\x00', '\\x00', master_key,
         rotation_reason, created_at, activated_at from conversation_keys where conversation_id = $1`
const REMOVE_OWN_PAIR = 'delete from conversation_keys where conversation_id = $1 and version = 2'
/** In the order in which the purge of a conversation does it. */
const REMOVE_ALL = [
  ...['messages', 'members', 'data_keys', 'conversation_keys'].map(
    (table) => `delete from ${table} where conversation_id = $1`
  ),
  'delete from conversations where id = $1'
]

const record = (action: string, detail: string | null = null, version = 1, as = client) =>
  as.query('select append_key_events(now(), $1, $2, array[$3::uuid], array[$4::integer], $5)', [
    'alice',
    action,
    id,
    version,
    detail
  ])

describe('a transaction past the program', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['changes a state', () => change(DEACTIVATE)],
    ['says something else of it', () => change(DEACTIVATE, () => record('key.compromised'))],
    ['says it of another version', () => change(DEACTIVATE, () => record('key.deactivated', null, 2))],
    ['is about a policy, and changes a state', () => change(DEACTIVATE, () => record('key.policy-set'))],
    ['says less than it does', () => change(`${DEACTIVATE}`, () => record('key.deactivated'), COMPROMISE)],
    ['puts a pair in of its own', () => change(DEACTIVATE, () => record('key.deactivated'), OWN_PAIR)]
  ])('that %s is refused when it commits, and leaves all as it was', async (_, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ code: '23514', message: expect.stringContaining(`of ${id} is `) })
    expect(await states()).toEqual([[1, 'ACTIVE']])
    expect(await recorded()).toEqual(['key.activated'])
  })

  it('that takes a version back from its destruction says to which state', async () => {
    await change(
      DEACTIVATE,
      () => record('key.deactivated'),
      SCHEDULE,
      () => record('key.destruction-scheduled')
    )
    for (const detail of [null, 'reason=REQUESTED state=COMPROMISED']) {
      const taken = change(RESTORE, () => record('key.destruction-cancelled', detail))
      await expect(taken).rejects.toMatchObject({ code: '23514' })
    }
    await change(RESTORE, () => record('key.destruction-cancelled', 'reason=REQUESTED state=DEACTIVATED'))
    expect(await states()).toEqual([[1, 'DEACTIVATED']])
  })

  it('that removes what it has changed, or put in, has nothing to say of it', async () => {
    await changeAs(worker, [DEACTIVATE, () => record('key.deactivated', null, 1, worker), OWN_PAIR, REMOVE_OWN_PAIR])
    expect(await states()).toEqual([[1, 'DEACTIVATED']])
    await changeAs(worker, [COMPROMISE, ...REMOVE_ALL])
    expect(await states()).toEqual([])
    expect(await recorded()).toEqual(['key.activated', 'key.deactivated'])
  })

  it('that removes another version than it has changed is refused all the same', async () => {
    const attempt = changeAs(worker, [DEACTIVATE, OWN_PAIR, REMOVE_OWN_PAIR])
    await expect(attempt).rejects.toMatchObject({ code: '23514', message: expect.stringContaining('key version 1') })
    expect(await states()).toEqual([[1, 'ACTIVE']])
  })
})

describe('the program', () => {
  it('takes a compromised version back from its destruction to where it was, and says so', async () => {
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const target = { conversationId: id, version: 1 }
    await admin.run(MarkKeyCompromisedDocument, target)
    await admin.run(ScheduleKeyDestructionDocument, { ...target, after: 'P7D' })
    expect(await states()).toEqual([
      [1, 'PENDING_DESTRUCTION'],
      [2, 'ACTIVE']
    ])
    await admin.run(CancelKeyDestructionDocument, target)
    expect(await states()).toEqual([
      [1, 'COMPROMISED'],
      [2, 'ACTIVE']
    ])
    const [cancelled] = await conclave.database.query(
      `select detail from key_events where conversation_id = $1 and action = 'key.destruction-cancelled'`,
      [id]
    )
    expect(cancelled).toEqual({ detail: 'reason=REQUESTED state=COMPROMISED' })
  })
})

type Part = string | (() => Promise<unknown>)

async function change(...parts: Part[]): Promise<void> {
  await changeAs(client, parts)
}

/** Statements, and what is called between them, in one transaction. */
async function changeAs(who: pg.Client, parts: readonly Part[]): Promise<void> {
  await who.query('begin')
  try {
    for (const part of parts) await (typeof part === 'string' ? who.query(part, [id]) : part())
    await who.query('commit')
  } catch (error) {
    await who.query('rollback')
    throw error
  }
}

async function states(): Promise<[number, string][]> {
  const rows = await conclave.database.query<{ version: number; state: string }>(
    'select version, state from conversation_keys where conversation_id = $1 order by version',
    [id]
  )
  return rows.map(({ version, state }) => [version, state])
}

async function recorded(): Promise<string[]> {
  const rows = await conclave.database.query<{ action: string }>(
    'select action from key_events where conversation_id = $1 order by sequence',
    [id]
  )
  return rows.map(({ action }) => action)
}
