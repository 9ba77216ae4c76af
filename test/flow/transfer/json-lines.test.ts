import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KeyPolicyDocument } from '../../../documents/generated.js'
import type { Services } from '../../../src/services.js'
import { importRecords } from '../../../src/transfer/import-records.js'
import { jsonLines } from '../../../src/transfer/import-source.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack } from '../../support/chat.js'
import { fillPool } from '../../support/many-conversations.js'
import { noteOverwritten } from '../../support/overwritten.js'
import { BRIEF, checkAsync } from '../../support/properties.js'
import { fileOf } from '../../support/transfer/files.js'

const AT = '2020-02-03T04:05:06.000Z'
const conversation = { type: 'conversation', id: 'general', title: 'General', createdAt: AT }
const owner = { type: 'member', conversationId: 'general', userId: 'alice', role: 'OWNER' }
const message = (n: number, more: object = {}) => ({
  type: 'message',
  conversationId: 'general',
  id: `m${n}`,
  senderId: n % 2 ? 'alice' : 'bob',
  body: `message ${n}`,
  createdAt: new Date(Date.parse(AT) + n * 1000).toISOString(),
  ...more
})
const messages = (count: number) => Array.from({ length: count }, (_, index) => message(index + 1))

let conclave: TestConclave

beforeEach(async () => {
  conclave = await bootConclave()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await conclave.close()
})

describe('an import of JSON Lines', () => {
  /** What stands before a line that cannot be read is in; a line that cannot be stored takes its batch with it. */
  const [OF_LINE, OF_BATCH] = [5, 1]

  it.each([
    ['is not JSON', 'not json', /not JSON/, OF_LINE],
    ['is that of an export', 'eyJhbGciOiJkaXIifQ..a.b.c', /is that of an export: name with --key/, OF_LINE],
    ['has a field that is not known', JSON.stringify({ ...message(9), colour: 'red' }), /colour/, OF_LINE],
    [
      'has a time without its offset',
      JSON.stringify(message(9, { createdAt: '2020-01-01T00:00:00' })),
      /createdAt/,
      OF_LINE
    ],
    ['is of the year 0000', JSON.stringify(message(9, { createdAt: '0000-06-01T00:00:00Z' })), /0001 to 9999/, OF_LINE],
    [
      'leaves the year 9999 with its offset',
      JSON.stringify(message(9, { createdAt: '9999-12-31T23:59:59-01:00' })),
      /0001 to 9999/,
      OF_LINE
    ],
    ['has no sender', JSON.stringify(message(9, { senderId: null })), /senderId/, OF_LINE],
    [
      'has a body over the limit',
      JSON.stringify(message(9, { body: 'x'.repeat(70_000) })),
      /70000 bytes in UTF-8; at most 65536/,
      OF_LINE
    ],
    ['has the id of another message', JSON.stringify(message(2)), /with this id already/, OF_BATCH],
    [
      'has a client id twice',
      JSON.stringify(message(9, { senderId: 'alice', clientMessageId: 'c1' })),
      /clientMessageId already/,
      OF_BATCH
    ],
    [
      'replies to a message that is not there',
      JSON.stringify(message(9, { replyToId: 'nobody' })),
      /replies to is not there/,
      OF_BATCH
    ],
    [
      'belongs to a conversation that was not begun',
      JSON.stringify({ ...message(9), conversationId: 'other' }),
      /none that this import has begun/,
      OF_LINE
    ],
    [
      'has another sequence than the next',
      JSON.stringify(message(9, { sequence: 9 })),
      /sequence 9, and 5 is next/,
      OF_BATCH
    ],
    ['is neither deleted nor has a body', JSON.stringify(message(9, { body: null })), /a body, or deletedAt/, OF_LINE],
    ['names an operator as its sender', JSON.stringify(message(9, { senderId: 'operator:x' })), /senderId/, OF_LINE]
  ])('stops at a line that %s, says which, and goes on once it was mended', async (_, bad, words, behind) => {
    const good = [conversation, message(1, { clientMessageId: 'c1' }), message(2), message(3), message(4)].map(inJson)
    const rest = [message(5), owner].map(inJson)
    const refused = run([...good, bad, ...rest])
    await expect(refused).rejects.toMatchObject({ line: 6, message: expect.stringMatching(words) })
    const stored = await position()
    expect(stored).toBe(behind)
    expect(await conclave.database.query('select from messages')).toHaveLength(behind - 1)
    expect(await run([...good, ...rest])).toMatchObject({ resumedBehind: stored, finished: true, lines: 7 })
    const alice = await conclave.as('alice')
    const [id = ''] = await ids()
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual([1, 2, 3, 4, 5].map((n) => `message ${n}`))
  })

  it('leaves none of the bodies in memory that it has encrypted, nor of those that were refused', async () => {
    const overwritten = noteOverwritten()
    await run([conversation, message(1), message(2), owner].map(inJson))
    await expect(run([message(3)].map(inJson), 'another file')).rejects.toMatchObject({ code: 'CONFLICT' })
    const bodies = [1, 2, 3].map((n) => `message ${n}`)
    expect(overwritten.map(String)).toEqual(expect.arrayContaining(bodies))
  })

  it('is refused where a message follows the members, who would see what they may not', async () => {
    const late = { ...owner, userId: 'carol', role: 'MEMBER', visibleAfter: 2 }
    const lines = [conversation, owner, late, message(1), message(2), message(3)].map(inJson)
    await expect(run(lines)).rejects.toMatchObject({
      line: 4,
      message: expect.stringContaining('stand before this message')
    })
    expect(await conclave.database.query('select from messages')).toEqual([])
  })

  it('never repeats what it refuses', async () => {
    const secret = 'the body of somebody'
    for (const bad of [`{"body": "${secret}"`, JSON.stringify({ ...message(1), colour: secret, body: [secret] })]) {
      const problem: Error = await run([inJson(conversation), bad]).then(
        () => new Error(),
        (error) => error
      )
      expect(problem.message).toBeTruthy()
      expect(problem.message).not.toContain(secret)
    }
  })

  it('is refused where the conversation exists already', async () => {
    const id = await createConversation(await conclave.as('alice'), [])
    await expect(run([inJson({ ...conversation, id })])).rejects.toMatchObject({ code: 'CONFLICT', line: 1 })
    await expect(run([inJson({ ...message(1), conversationId: id })], 'another')).rejects.toMatchObject({
      code: 'CONFLICT',
      line: 1
    })
  })

  it('is refused where the lines before are not those that are in', async () => {
    const lines = [conversation, ...messages(3), owner].map(inJson)
    await run(lines)
    await expect(run(lines.with(1, inJson(message(1, { body: 'other' }))))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('The first 5 lines')
    })
    await expect(run(lines.slice(0, 3))).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('says where nobody owns a conversation, and takes the line that mends it', async () => {
    const lines = [conversation, ...messages(3)].map(inJson)
    await expect(run(lines)).rejects.toMatchObject({ message: expect.stringContaining('has no owner') })
    expect(await run([...lines, inJson(owner)])).toMatchObject({ resumedBehind: 4, finished: true })
  })

  it('keeps times, order, edits and deletions, and whom a message replies to', async () => {
    await run(
      [
        conversation,
        { type: 'user', id: 'alice', name: 'Alice' },
        message(1),
        message(2, { replyToId: 'm1', editedAt: '2021-01-01T01:00:00+01:00' }),
        message(3, { body: null, deletedAt: '2022-01-01T00:00:00Z' }),
        { type: 'message', conversationId: 'general', kind: 'SYSTEM', body: 'a notice', createdAt: AT },
        owner
      ].map(inJson)
    )
    const [id = ''] = await ids()
    const read = await readBack(await conclave.as('alice', { name: 'Alice' }), id)
    expect(read).toMatchObject([
      { sequence: 1, body: 'message 1', createdAt: '2020-02-03T04:05:07.000Z', sender: { name: 'Alice' } },
      { sequence: 2, body: 'message 2', editedAt: '2021-01-01T00:00:00.000Z' },
      { sequence: 3, body: null, status: 'DELETED', deletedAt: '2022-01-01T00:00:00.000Z' },
      { sequence: 4, body: 'a notice', kind: 'SYSTEM', sender: null }
    ])
    const [row] = await conclave.database.query<{ replies: boolean }>(
      'select b.reply_to_id = a.id as replies from messages a join messages b on a.sequence = 1 and b.sequence = 2'
    )
    expect(row?.replies).toBe(true)
  })

  it('keeps the first and the last times that it takes', async () => {
    const times = ['0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z']
    await run([conversation, ...times.map((createdAt, n) => message(n + 1, { createdAt })), owner].map(inJson))
    const [id = ''] = await ids()
    const read = await readBack(await conclave.as('alice'), id)
    expect(read.map(({ createdAt }) => createdAt)).toEqual(times)
  })

  it('is shown to nobody before its members are in', async () => {
    const lines = [conversation, ...messages(3), owner].map(inJson)
    await expect(run([...lines.slice(0, -1), 'broken'])).rejects.toMatchObject({ line: 5 })
    const [id = ''] = await ids()
    await expect(readBack(await conclave.as('alice'), id)).rejects.toThrow('not in this conversation')
  })

  it('lays at most as many messages under a data key as are allowed, and counts them', async () => {
    await conclave.restart({ dataKeyMaxMessages: 10 })
    await run([conversation, ...messages(25), owner].map(inJson))
    const counted = await conclave.database.query<{ count: number; found: number }>(
      `select d.message_count as count, (select count(*)::integer from messages m where m.data_key_id = d.id) as found
         from data_keys d where d.message_count > 0 order by 1`
    )
    expect(counted).toEqual([
      { count: 5, found: 5 },
      { count: 10, found: 10 },
      { count: 10, found: 10 }
    ])
  })

  it('rotates the key as often as its policy says', async () => {
    const policy = { ...conclave.services.config.keyPolicy, rotateAfterMessages: 10 }
    await conclave.restart({ keyPolicy: policy })
    await run([conversation, ...messages(25), owner].map(inJson))
    const perVersion = await conclave.database.query<{ version: number; count: number }>(
      'select key_version as version, sum(message_count)::integer as count from data_keys group by 1 having sum(message_count) > 0 order by 1'
    )
    expect(perVersion).toEqual([1, 2, 3].map((version) => ({ version, count: version === 3 ? 5 : 10 })))
  })

  it.each([
    ['no duration', { rotateAfter: 'soon' }, /^keyPolicy\.rotateAfter: Give an ISO 8601 duration/],
    [
      'no message at all',
      { rotateAfterMessages: 0 },
      /^keyPolicy\.rotateAfterMessages: Give a number of messages of 1/
    ],
    ['keys that end before they are rotated', { rotateAfter: 'P30D', destroyAfter: 'P1D' }, /^keyPolicy\.destroyAfter/],
    ['what no policy has', { rotateNever: true }, /keyPolicy: .*rotateNever/]
  ])('is refused with a key policy of %s, as a client is', async (_, keyPolicy, words) => {
    const begun = run([inJson({ ...conversation, keyPolicy }), inJson(owner)])
    await expect(begun).rejects.toMatchObject({ code: 'LINE', line: 1, message: expect.stringMatching(words) })
    expect(await ids()).toEqual([])
  })

  it('gives a conversation the key policy that its line names, and has it in the audit trail', async () => {
    const policy = { ...conclave.services.config.keyPolicy, rotateOnMemberRemoval: true, destroyAfter: 'P10Y' }
    await conclave.restart({ keyPolicy: policy as typeof conclave.services.config.keyPolicy })
    const keyPolicy = { rotateAfterMessages: 10, destroyAfter: null, rotateOnMemberRemoval: false }
    await run([{ ...conversation, keyPolicy }, ...messages(25), owner].map(inJson))
    const [id = ''] = await ids()
    const { conversation: read } = await (await conclave.as('alice')).run(KeyPolicyDocument, { id })
    expect(read?.keyPolicy).toEqual({ ...keyPolicy, rotateAfter: policy.rotateAfter })
    expect(await conclave.database.query('select from conversation_keys')).toHaveLength(3)
    const [event] = await conclave.database.query<{ actor: string; detail: string }>(
      `select actor, detail from key_events where action = 'key.policy-set'`
    )
    expect(event).toEqual({ actor: 'operator:test', detail: expect.stringContaining('rotateAfterMessages=10') })
  })

  it('counts what an export could not open any more, whichever run has stored it', async () => {
    const lost = (n: number, status: string) => message(n, { body: null, status })
    const deleted = message(3, { body: null, status: 'DELETED', deletedAt: AT })
    const lines = [conversation, lost(1, 'UNREADABLE'), lost(2, 'KEY_DESTROYED'), deleted, owner].map(inJson)
    await expect(run([...lines.slice(0, 4), 'broken'])).rejects.toMatchObject({ line: 5 })
    const reports: object[] = []
    expect(await run(lines, 'file', conclave.services, reports)).toMatchObject({ messages: 0, unreadable: 2, blank: 0 })
    expect(reports).toEqual([{ lines: 5, messages: 0, unreadable: 2, blank: 0 }])
    expect(await run(lines)).toMatchObject({ messages: 0, unreadable: 2 })
  })

  it('ends the same after it has failed at any of its batches', async () => {
    await conclave.restart({ dataKeyMaxMessages: 10 })
    const lines = [conversation, ...messages(40), owner].map(inJson)
    for (let failures = 1; failures <= 6; failures++) {
      const broken = failingAfter(conclave.services, failures)
      await run(lines, 'file', broken).catch((error: Error) => expect(error.message).toBe('the process was killed'))
    }
    expect(await run(lines)).toMatchObject({ finished: true })
    const [id = ''] = await ids()
    const read = await readBack(await conclave.as('alice'), id)
    expect(read.map(({ body }) => body)).toEqual(messages(40).map(({ body }) => body))
    expect(read.map(({ sequence }) => sequence)).toEqual(read.map((_, index) => index + 1))
  })

  it('ends the same wherever it was interrupted, also within a conversation and between two', async () => {
    await conclave.restart({ dataKeyMaxMessages: 3 })
    const sizes = fc.array(fc.integer({ min: 3, max: 8 }), { minLength: 1, maxLength: 2 })
    const interruptions = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 })
    await fillPool(conclave, 30)
    let runs = 0
    await checkAsync(
      fc.asyncProperty(sizes, interruptions, async (counts, failures) => {
        const name = `interrupted ${runs++}`
        const records = counts.flatMap((count, index) =>
          [conversation, ...messages(count), owner].map((record) => inConversation(record, `${name} ${index}`))
        )
        const lines = records.map(inJson)
        for (const left of failures) {
          await run(lines, name, failingAfter(conclave.services, left)).catch((error: Error) =>
            expect(error.message).toBe('the process was killed')
          )
        }
        expect(await run(lines, name)).toMatchObject({ finished: true, lines: lines.length })
        const stored = await conclave.database.query<{ count: number; last: number }>(
          `select count(m.sequence)::integer as count, c.last_sequence as last
             from conversations c join imported_conversations i on i.conversation_id = c.id
             join imports s on s.id = i.import_id and s.source = $1
             left join messages m on m.conversation_id = c.id
            group by c.id, c.last_sequence`,
          [name]
        )
        const byCount = (one: { count: number }, other: { count: number }) => one.count - other.count
        expect(stored.sort(byCount)).toEqual(counts.map((count) => ({ count, last: count })).sort(byCount))
      }),
      15,
      BRIEF
    )
  })

  it('is in the audit trail as begun once, however often its first batch fails', async () => {
    const lines = [conversation, message(1), owner].map(inJson)
    await expect(run(lines, 'file', failingAfter(conclave.services, 0))).rejects.toThrow('was killed')
    const noKeys = vi.spyOn(conclave.services.keySupply, 'withKeyPair').mockRejectedValue(new Error('no keys'))
    for (let times = 1; times <= 2; times++) await expect(run(lines)).rejects.toThrow('no keys')
    noKeys.mockRestore()
    expect(await position()).toBe(0)
    await run(lines)
    const events = await conclave.database.query(`select detail from key_events where action = 'import.started'`)
    expect(events).toEqual([{ detail: expect.stringMatching(/^id=[-0-9a-f]{36} source=file$/) }])
  })

  it('is finished and in the audit trail as finished, or neither', async () => {
    const lines = [conversation, message(1)].map(inJson)
    await expect(run(lines)).rejects.toThrow('has no owner')
    const whole = [...lines, inJson(owner)]
    // The owner is stored, and the end fails.
    await expect(run(whole, 'file', failingAfter(conclave.services, 1))).rejects.toThrow('the process was killed')
    expect(await run(whole)).toMatchObject({ resumedBehind: 3, finished: true })
    await run(whole)
    expect(await conclave.database.query(`select from key_events where action = 'import.finished'`)).toHaveLength(1)
  })

  it('run by two processes at once is done once', async () => {
    await conclave.restart({ dataKeyMaxMessages: 10 })
    const lines = [conversation, ...messages(200), owner].map(inJson)
    const ended = await Promise.allSettled([run(lines), run(lines)])
    for (const end of ended) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'CONFLICT' })
    await run(lines)
    expect(await conclave.database.query(`select from key_events where action = 'import.started'`)).toHaveLength(1)
    const [id = ''] = await ids()
    expect(await readBack(await conclave.as('alice'), id)).toHaveLength(200)
  })
})

const inJson = (record: object) => JSON.stringify(record)

/** The same for another conversation. */
function inConversation(record: object, id: string): object {
  return 'conversationId' in record ? { ...record, conversationId: id } : { ...record, id }
}

async function run(lines: string[], name = 'file', services: Services = conclave.services, reports: object[] = []) {
  const source = { name, lines: jsonLines(fileOf(lines.map((line) => `${line}\n`))) }
  return await importRecords(services, source, {
    actor: 'operator:test',
    report: (progress) => void reports.push(progress)
  })
}

async function position(): Promise<number | undefined> {
  const [row] = await conclave.database.query<{ lines: number }>('select lines from imports')
  return row?.lines
}

async function ids(): Promise<string[]> {
  return (await conclave.database.query<{ id: string }>('select id from conversations')).map(({ id }) => id)
}

/** The database goes away in the middle of the nth transaction. */
function failingAfter(services: Services, count: number): Services {
  let left = count
  const database = new Proxy(services.database, {
    get(of, name) {
      const value = Reflect.get(of, name, of)
      if (name !== 'transaction') return typeof value === 'function' ? value.bind(of) : value
      return (work: (em: unknown) => Promise<unknown>) =>
        of.transaction(async (em) => {
          const done = await work(em)
          if (--left < 0) throw new Error('the process was killed')
          return done
        })
    }
  })
  return { ...services, database }
}
