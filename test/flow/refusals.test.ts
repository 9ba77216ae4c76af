import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { appendKeyEvents, lockChains, SHARDS } from '../../src/conversation-key/key-events.js'
import {
  closeRefusalWindows,
  RECORDED_MAX,
  recordRefusal,
  WINDOW_MS
} from '../../src/conversation-key/record-refusal.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { holdTransaction, untilWaiting } from '../support/held-transaction.js'

const CONVERSATION = '01890000-0000-7000-8000-000000000001'

let conclave: TestConclave
let actor: string
let actors = 0

beforeAll(async () => {
  conclave = await bootConclave()
})
afterAll(() => conclave.close())
beforeEach(async () => {
  await conclave.database.query('delete from refusal_windows')
  actor = `mallory ${++actors}`
})

describe('a refusal', () => {
  it('is recorded with all that was asked for', async () => {
    await refuse('rotateKey version=3')
    const events = await conclave.database.query(
      `select at, actor, action, conversation_id, key_version, detail from key_events where actor = $1`,
      [actor]
    )
    expect(events).toEqual([
      {
        at: now(),
        actor,
        action: 'operation.refused',
        conversation_id: CONVERSATION,
        key_version: 3,
        detail: 'operation=rotateKey version=3 code=FORBIDDEN'
      }
    ])
  })

  it('is counted with those of the same operation, whatever it was asked for, and of the same actor', async () => {
    for (let count = 0; count < RECORDED_MAX; count++) await refuse(`rotateKey version=${count}`)
    await refuse('rotateKey')
    await refuse('setKeyPolicy')
    expect(await windows()).toEqual([
      { operation: 'rotateKey', recorded: RECORDED_MAX, unrecorded: 1 },
      { operation: 'setKeyPolicy', recorded: 1, unrecorded: 0 }
    ])
    expect(await details()).toHaveLength(RECORDED_MAX + 1)
    actor = `not ${actor}`
    await refuse('rotateKey')
    expect(await details()).toEqual(['operation=rotateKey code=FORBIDDEN'])
  })

  it('that comes when the minute is over is recorded behind the number of those before it', async () => {
    const began = now().toISOString()
    for (let count = 0; count < RECORDED_MAX + 2; count++) await refuse('rotateKey')
    conclave.clock.advance(WINDOW_MS - 1)
    await refuse('rotateKey')
    expect(await details()).toHaveLength(RECORDED_MAX)
    conclave.clock.advance(1)
    await refuse('rotateKey')
    expect((await details()).slice(RECORDED_MAX)).toEqual([
      `operation=rotateKey unrecorded=3 since=${began}`,
      'operation=rotateKey code=FORBIDDEN'
    ])
    expect(await windows()).toEqual([{ operation: 'rotateKey', recorded: 1, unrecorded: 0 }])
  })

  it('that waits for a window which is closed meanwhile begins another', async () => {
    await refuse('rotateKey')
    const held = await holdTransaction(conclave.database)
    await held.query('select from refusal_windows for update')
    const refusing = refuse('rotateKey')
    await untilWaiting(conclave.database, 1)
    await held.query('delete from refusal_windows')
    await held.commit()
    await refusing
    expect(await details()).toHaveLength(2)
    expect(await windows()).toEqual([{ operation: 'rotateKey', recorded: 1, unrecorded: 0 }])
  })
})

describe('what was counted of refusals', () => {
  it('is recorded once the minute is over, and not before', async () => {
    const began = now().toISOString()
    for (let count = 0; count < RECORDED_MAX + 1; count++) await refuse('rotateKey')
    await refuse('setKeyPolicy')
    conclave.clock.advance(WINDOW_MS - 1)
    await close()
    expect(await windows()).toHaveLength(2)
    conclave.clock.advance(1)
    await close()
    expect(await windows()).toEqual([])
    expect((await details()).slice(RECORDED_MAX)).toEqual([
      'operation=setKeyPolicy code=FORBIDDEN',
      `operation=rotateKey unrecorded=1 since=${began}`
    ])
    const [event] = await conclave.database.query(
      `select at, conversation_id, key_version, action from key_events where actor = $1 and detail like '%unrecorded%'`,
      [actor]
    )
    expect(event).toEqual({ at: now(), conversation_id: null, key_version: null, action: 'operation.refused' })
  })

  it('is recorded once by two workers at the same time', async () => {
    for (let count = 0; count < RECORDED_MAX + 1; count++) await refuse('rotateKey')
    conclave.clock.advance(WINDOW_MS)
    const held = await holdTransaction(conclave.database)
    await held.query('select from refusal_windows for update')
    const closing = [close(), close()]
    await untilWaiting(conclave.database, 2)
    await held.commit()
    await Promise.all(closing)
    expect(await details()).toHaveLength(RECORDED_MAX + 1)
  })

  it('is left to the next minute where that has begun meanwhile', async () => {
    for (let count = 0; count < RECORDED_MAX + 1; count++) await refuse('rotateKey')
    conclave.clock.advance(WINDOW_MS)
    const held = await holdTransaction(conclave.database)
    await held.query('update refusal_windows set began_at = $1', [now()])
    const closing = close()
    await untilWaiting(conclave.database, 1)
    await held.commit()
    await closing
    expect(await windows()).toHaveLength(1)
    expect(await details()).toHaveLength(RECORDED_MAX)
  })
})

describe('events of several conversations', () => {
  // The last digit decides on the chain.
  const ids = [1, 2, 3].map((n) => `01890000-0000-7000-8000-00000000000${n}`)

  it('are one for each, in the chain of its conversation', async () => {
    const event = { at: now(), actor, action: 'key.rewrapped' as const, detail: 'from=local:test' }
    const keys = ids.map((conversationId, index) => ({ conversationId, keyVersion: index + 1 }))
    await conclave.workerServices.database.transaction((em) => appendKeyEvents(em, event, keys))
    const stored = await conclave.database.query(
      'select conversation_id as "conversationId", key_version as "keyVersion" from key_events where actor = $1 order by 2',
      [actor]
    )
    expect(stored).toEqual(keys)
  })

  it('have their chains to themselves from when these are locked', async () => {
    const free = () => conclave.database.query('select from key_event_heads for update skip locked')
    await conclave.workerServices.database.transaction(async (em) => {
      await lockChains(em, ids)
      expect(await free()).toHaveLength(SHARDS - ids.length)
    })
    expect(await free()).toHaveLength(SHARDS)
  })
})

function now(): Date {
  return conclave.clock.now()
}

async function refuse(operation: string): Promise<void> {
  const event = { at: now(), actor, conversationId: CONVERSATION, keyVersion: 3 }
  await conclave.services.database.transaction((em) => recordRefusal(em, { ...event, operation, code: 'FORBIDDEN' }))
}

function close(): Promise<void> {
  return closeRefusalWindows({ database: conclave.workerServices.database, now: now() })
}

function windows() {
  return conclave.database.query('select operation, recorded, unrecorded from refusal_windows order by operation')
}

async function details(): Promise<string[]> {
  const rows = await conclave.database.query<{ detail: string }>(
    'select detail from key_events where actor = $1 order by at, sequence',
    [actor]
  )
  return rows.map(({ detail }) => detail)
}
