import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  ConversationExportDocument,
  ConversationExportProgressDocument,
  DeleteConversationDocument,
  ExportConversationDocument,
  SendMessageDocument,
  SetMemberRoleDocument
} from '../../../documents/generated.js'
import { dropExports } from '../../../jobs/drop-exports.js'
import { runOperation } from '../../../jobs/key-operations.js'
import { findKeyOperation, findOpenOperations } from '../../../src/key-life/key-operations.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { importExport, verifyExport } from '../../../src/transfer/import-export.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { exportedLines } from '../../../src/transfer/ordered-exports.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import { writeOrderedExport } from '../../../src/transfer/write-ordered-export.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import type { GraphQLClient } from '../../support/graphql-client.js'
import { collected, drained, fileOf } from '../../support/transfer/files.js'
import { ecRecipient, rsaRecipient } from '../../support/transfer/recipients.js'

const DAY_MS = 24 * 60 * 60 * 1000
const recipient = ecRecipient()

let conclave: TestConclave
let alice: GraphQLClient
let conversationId: string

beforeEach(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  conversationId = await createConversation(alice, ['bob'])
  for (let count = 1; count <= 20; count++) await send(alice, conversationId, `message ${count}`)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await conclave.close()
})

describe('an export that its owner asks for', () => {
  it.each([
    ['a private key', recipient.privatePem, 'This is a private key'],
    ['an RSA key of 1024 bits', rsaRecipient(1024).publicPem, '2048 are the least'],
    ['nothing of the kind', 'x', 'not a public key']
  ])('is refused for %s', async (_, publicKeyPem, words) => {
    const { errors } = await alice.execute(ExportConversationDocument, { conversationId, publicKeyPem })
    expect(errors).toMatchObject([
      { message: expect.stringContaining(words), extensions: { code: 'BAD_USER_INPUT', field: 'publicKeyPem' } }
    ])
  })

  it('is refused while another one is under way', async () => {
    await order()
    const { errors } = await alice.execute(ExportConversationDocument, {
      conversationId,
      publicKeyPem: recipient.publicPem
    })
    expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  })

  it('is refused where its owner has those of ten other conversations, also of ones that were asked for at once', async () => {
    const others = await Promise.all(Array.from({ length: 11 }, () => createConversation(alice, [])))
    const answers = await Promise.all(
      others.map((id) =>
        alice.execute(ExportConversationDocument, { conversationId: id, publicKeyPem: recipient.publicPem })
      )
    )
    expect(answers.filter(({ errors }) => errors).map(({ errors }) => errors)).toMatchObject([
      [
        {
          message: expect.stringMatching(/^You have exports of 10 other conversations, .* dropped at .*Z\.$/),
          extensions: { code: 'CONFLICT' }
        }
      ]
    ])
    const ordered = answers.flatMap(({ data }) => data?.exportConversation.export ?? [])
    for (const { id } of ordered) await run(id)
    await expect(order()).rejects.toThrow('exports of 10 other conversations')
    // In the place of one that is there, by somebody else, and a day later.
    await order(alice, ordered[0]?.conversationId)
    const theirs = await createConversation(await conclave.as('bob'), [])
    await order(await conclave.as('bob'), theirs)
    conclave.clock.advance(DAY_MS)
    await order(await conclave.as('alice'))
  })

  it('cannot be fetched without a token, by somebody else, or before it is whole', async () => {
    const id = await order()
    expect((await fetched(id, 'alice')).status).toBe(409)
    await run(id)
    expect((await fetch(`${conclave.url}/exports/${id}`)).status).toBe(401)
    for (const other of ['bob', 'mallory']) expect((await fetched(id, other)).status).toBe(404)
    expect((await fetched('nonsense', 'alice')).status).toBe(404)
  })

  it('is written by a worker, and its file is opened by the recipient', async () => {
    const id = await order()
    const progress = alice.subscribe(ConversationExportProgressDocument, { id })
    expect((await progress.next()).conversationExportProgress).toMatchObject({
      state: 'QUEUED',
      total: 20,
      done: 0,
      path: null
    })
    await run(id)
    expect((await progress.next()).conversationExportProgress).toMatchObject({
      ...{ state: 'SUCCEEDED', total: 20, done: 20, error: null },
      path: `/exports/${id}`
    })
    const { conversationExport } = await alice.run(ConversationExportDocument, { id })
    const response = await fetch(`${conclave.url}${conversationExport?.path}`, { headers: await bearer('alice') })
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await bodiesIn(await response.text())).toEqual(
      (await readBack(alice, conversationId)).map(({ body }) => body)
    )
  })

  it('has what its owner may see, and no more', async () => {
    const own = await createConversation(alice, [], { historyVisibility: 'SINCE_JOINED' })
    await send(alice, own, 'before')
    await alice.run(AddMembersDocument, { conversationId: own, userIds: ['bob'] })
    await alice.run(SetMemberRoleDocument, { conversationId: own, userId: 'bob', role: 'OWNER' })
    await send(alice, own, 'after')
    const bob = await conclave.as('bob')
    const id = await order(bob, own)
    await run(id)
    const bodies = await bodiesIn(await (await fetched(id, 'bob')).text())
    expect(bodies).not.toContain('before')
    expect(bodies).toContain('after')
  })

  it('of a part says so, and is imported as a conversation that begins there', async () => {
    const own = await createConversation(alice, [], { historyVisibility: 'SINCE_JOINED' })
    const before = await send(alice, own, 'before')
    await alice.run(AddMembersDocument, { conversationId: own, userIds: ['bob'] })
    await alice.run(SetMemberRoleDocument, { conversationId: own, userId: 'bob', role: 'OWNER' })
    await alice.run(SendMessageDocument, { input: { conversationId: own, body: 'a reply', replyToId: before.id } })
    const id = await order(await conclave.as('bob'), own)
    await run(id)
    const file = await (await fetched(id, 'bob')).text()
    const key = await readPrivateKey(recipient.privatePem)
    const { manifest, signedBy } = await verifyExport(() => fileOf(file), key)
    expect(manifest.after).toBeGreaterThan(0)
    const other = await bootConclave()
    try {
      const by = { actor: 'operator:test' }
      await importExport(other.services, () => fileOf(file), key, new Set([signedBy]), by)
      const read = await readBack(await other.as('bob'), own)
      expect(read.map(({ sequence }) => sequence)).toEqual(read.map((_, index) => index + 1))
      expect(read.at(-1)?.body).toBe('a reply')
      expect(await other.database.query('select from messages where reply_to_id is not null')).toEqual([])
    } finally {
      await other.close()
    }
  })

  it('is gone for one who is no owner any more, and when its time is over', async () => {
    const id = await order()
    await run(id)
    await alice.run(SetMemberRoleDocument, { conversationId, userId: 'bob', role: 'OWNER' })
    const bob = await conclave.as('bob')
    await bob.run(SetMemberRoleDocument, { conversationId, userId: 'alice', role: 'MEMBER' })
    expect((await fetched(id, 'alice')).status).toBe(404)
    await bob.run(SetMemberRoleDocument, { conversationId, userId: 'alice', role: 'OWNER' })
    expect((await fetched(id, 'alice')).status).toBe(200)
    conclave.clock.advance(DAY_MS)
    expect((await fetched(id, 'alice')).status).toBe(404)
    await dropExports(conclave.workerServices)
    expect(await conclave.database.query('select from export_parts')).toEqual([])
  })

  it("takes the place of the one before, once it is whole, and of nobody else's", async () => {
    await alice.run(SetMemberRoleDocument, { conversationId, userId: 'bob', role: 'OWNER' })
    const theirs = await order(await conclave.as('bob'))
    await run(theirs)
    const first = await order()
    await run(first)
    const second = await order()
    expect((await fetched(first, 'alice')).status).toBe(200)
    const viewer = { id: 'alice', name: 'alice', scopes: new Set<string>(), expiresAt: null }
    const download = exportedLines(conclave.services, viewer, first)
    await download.next()
    await run(second)
    await expect(collected(download)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect((await fetched(first, 'alice')).status).toBe(404)
    expect((await alice.run(ConversationExportDocument, { id: first })).conversationExport).toBeNull()
    for (const [id, owner] of [
      [second, 'alice'],
      [theirs, 'bob']
    ] as const)
      expect((await fetched(id, owner)).status).toBe(200)
    expect(await conclave.database.query('select distinct operation_id from export_parts')).toHaveLength(2)
  })

  it('takes a place of those of its user while it is fetched, and gives it back', async () => {
    const id = await order()
    await run(id)
    const narrow = await bootConclave({ databaseUrl: conclave.database.url }, { SOCKETS_PER_USER: '1' })
    const headers = { authorization: `Bearer ${await narrow.token('alice')}` }
    const stream = await fetch(`${narrow.url}/graphql/stream`, {
      method: 'POST',
      headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'subscription { inboxEvents { __typename } }' })
    })
    const refused = await fetch(`${narrow.url}/exports/${id}`, { headers })
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] })
    await stream.body?.cancel()
    for (let time = 0; time < 2; time++) {
      await vi.waitFor(async () => {
        const response = await fetch(`${narrow.url}/exports/${id}`, { headers })
        expect([response.status, (await response.text()).length > 1000]).toEqual([200, true])
      })
    }
    await narrow.close()
  })

  it('is dropped with its conversation', async () => {
    const id = await order()
    await run(id)
    await alice.run(DeleteConversationDocument, { conversationId })
    expect((await fetched(id, 'alice')).status).toBe(404)
    await dropExports(conclave.workerServices)
    expect(await conclave.database.query('select from export_parts')).toEqual([])
  })

  it('begins anew where a worker was lost, and is one file', async () => {
    const id = await order()
    await loseWorker(id)
    // Nobody knows yet that it is lost, and no place of a worker is held by one that waits to see.
    await run(id)
    expect(await stateOf(id)).toBe('RUNNING')
    conclave.clock.advance(61_000)
    await run(id)
    expect(await bodiesIn(await (await fetched(id, 'alice')).text())).toHaveLength(20)
  })

  it('that is tried again later keeps no younger operation from being found', async () => {
    const later = new Date(conclave.clock.now().getTime() + 11_000)
    await conclave.database.query(
      `insert into key_operations (id, kind, state, actor, conversation_id, created_at, next_step_at)
       select gen_random_uuid(), 'EXPORT', 'RUNNING', 'alice', gen_random_uuid(), timestamptz '2000-01-01', $1
         from generate_series(1, 100)`,
      [later]
    )
    const id = await order()
    expect((await findOpenOperations(conclave.workerServices)).map((operation) => operation.id)).toContain(id)
    await conclave.database.query(`delete from key_operations where created_at = '2000-01-01'`)
    await run(id)
  })

  it('is given up where it has taken five workers with it', async () => {
    const id = await order()
    for (let tries = 1; tries <= 5; tries++) {
      await loseWorker(id)
      // What those before have left goes with the next.
      expect(await attemptsOf(id)).toBe(1)
      expect(await stateOf(id)).toBe('RUNNING')
      conclave.clock.advance(61_000)
    }
    await run(id)
    expect(await stateOf(id)).toBe('FAILED')
    expect(await attemptsOf(id)).toBe(0)
  })

  it('that fails for a reason nobody knows is tried five times, later each time, and its owner is told', async () => {
    const { messageOpener } = conclave.workerServices
    const broken = vi.spyOn(messageOpener, 'open').mockRejectedValue(new TypeError('"message 7" is not iterable'))
    const id = await order()
    const progress = alice.subscribe(ConversationExportProgressDocument, { id })
    await progress.next()
    const told: unknown[] = []
    for (const [index, minutes] of [1, 4, 16, 64, 256].entries()) {
      await run(id)
      told.push((await progress.next()).conversationExportProgress)
      conclave.clock.advance(minutes * 60_000 - 20_000)
      // Too early: nothing is tried.
      await run(id)
      expect(broken).toHaveBeenCalledTimes(index + 1)
      conclave.clock.advance(20_000)
    }
    expect(told).toMatchObject([
      ...[1, 2, 3, 4].map((tries) => ({
        state: 'RUNNING',
        error: `It could not be written (try ${tries} of 5); it begins anew later.`
      })),
      { state: 'FAILED', error: expect.stringContaining('5 tries'), path: null }
    ])
    expect((await fetched(id, 'alice')).status).toBe(409)
    expect(await conclave.database.query('select from export_parts')).toEqual([])
    expect(conclave.logged()).toContain('an export could not be written')
    expect(conclave.logged()).not.toContain('message 7')
    broken.mockRestore()
    const again = await order()
    await run(again)
    expect(await stateOf(again)).toBe('SUCCEEDED')
  })

  it('that has failed is claimed by nobody before that is noted, and when to try again', async () => {
    const { messageOpener, database } = conclave.workerServices
    const broken = vi.spyOn(messageOpener, 'open').mockRejectedValue(new TypeError('of a kind nobody has thought of'))
    const id = await order()
    let others = 0
    const transaction = database.transaction.bind(database)
    vi.spyOn(database, 'transaction').mockImplementation(async (work) => {
      // Between the try and its note, another worker looks for work.
      if (broken.mock.calls.length > 0 && others++ === 0) await run(id)
      return await transaction(work)
    })
    await run(id)
    expect(others).toBeGreaterThan(0)
    expect(broken).toHaveBeenCalledTimes(1)
    expect((await alice.run(ConversationExportDocument, { id })).conversationExport).toMatchObject({
      state: 'RUNNING',
      error: 'It could not be written (try 1 of 5); it begins anew later.'
    })
  })

  it('is not tried by a worker that has looked before another one tried: it would count from there', async () => {
    const id = await order()
    const early = await findKeyOperation(conclave.workerServices, id)
    if (!early) throw new Error('it was ordered')
    await loseWorker(id)
    conclave.clock.advance(61_000)
    expect(await writeOrderedExport(conclave.workerServices, early, new AbortController().signal)).toBeNull()
    expect((await findKeyOperation(conclave.workerServices, id))?.position).toBe('1')
  })

  it('is whole where a worker goes on that was taken for lost', async () => {
    const id = await order()
    const { database } = conclave.workerServices
    const write = database.run.bind(database)
    const stalled: (() => void)[] = []
    const slow = vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
      const rows = await write(statement, values)
      const isHead = statement.name === 'write-export-part' && values[2] === 1
      if (isHead) await new Promise<void>((resolve) => stalled.push(resolve))
      return rows as never
    })
    const operation = await findKeyOperation(conclave.workerServices, id)
    if (!operation) throw new Error('it was ordered')
    const first = writeOrderedExport(conclave.workerServices, operation, new AbortController().signal)
    await vi.waitFor(() => expect(stalled).toHaveLength(1))
    conclave.clock.advance(61_000)
    const second = run(id)
    await vi.waitFor(() => expect(stalled).toHaveLength(2))
    stalled[0]?.()
    expect(await first).not.toHaveProperty('outcome')
    stalled[1]?.()
    await second
    slow.mockRestore()
    expect(await bodiesIn(await (await fetched(id, 'alice')).text())).toHaveLength(20)
    expect(await conclave.database.query('select distinct attempt from export_parts')).toHaveLength(1)
  })

  it('run by several workers at once is written once', async () => {
    const id = await order()
    const stop = new AbortController()
    const runs = Array.from({ length: 3 }, () => runOperation(conclave.workerServices, id, stop.signal))
    await vi.waitFor(async () => expect(await stateOf(id)).toBe('SUCCEEDED'), { timeout: 20_000 })
    stop.abort()
    await Promise.all(runs)
    expect(await bodiesIn(await (await fetched(id, 'alice')).text())).toHaveLength(20)
  })

  it('waits where a master key is out of reach, and goes on later', async () => {
    const { current } = conclave.workerServices.masterKeys
    const away = vi
      .spyOn(current, 'unwrap')
      .mockRejectedValue(new MasterKeyError('UNREACHABLE', current.uri, 'no answer'))
    conclave.workerServices.keyring.forgetAll()
    const id = await order()
    // As often as it takes: that is no fault of the export.
    for (let tries = 1; tries <= 6; tries++) await run(id)
    expect((await alice.run(ConversationExportDocument, { id })).conversationExport).toMatchObject({
      state: 'RUNNING',
      error: expect.stringContaining('out of reach')
    })
    away.mockRestore()
    await run(id)
    expect(await stateOf(id)).toBe('SUCCEEDED')
  })
})

async function order(by = alice, id = conversationId): Promise<string> {
  const asked = { conversationId: id, publicKeyPem: recipient.publicPem }
  return (await by.run(ExportConversationDocument, asked)).exportConversation.export.id
}

async function run(id: string): Promise<void> {
  await runOperation(conclave.workerServices, id, new AbortController().signal)
}

/** As a worker that is killed with the first part written: nobody tells that it ended. */
async function loseWorker(id: string): Promise<void> {
  const { database } = conclave.workerServices
  const write = database.run.bind(database)
  let isGone = false
  const lost = vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
    if (isGone) throw new Error('the process was killed')
    const rows = await write(statement, values)
    isGone = statement.name === 'write-export-part'
    return rows as never
  })
  await expect(run(id)).rejects.toThrow('killed')
  lost.mockRestore()
}

/** How many tries have left something in the database. */
async function attemptsOf(id: string): Promise<number> {
  const [row] = await conclave.database.query<{ attempts: number }>(
    'select count(distinct attempt)::integer as attempts from export_parts where operation_id = $1',
    [id]
  )
  return row?.attempts ?? 0
}

async function stateOf(id: string) {
  return (await alice.run(ConversationExportDocument, { id })).conversationExport?.state
}

async function bearer(userId: string) {
  return { authorization: `Bearer ${await conclave.token(userId)}` }
}

async function fetched(id: string, userId: string): Promise<Response> {
  return await fetch(`${conclave.url}/exports/${id}`, { headers: await bearer(userId) })
}

async function bodiesIn(file: string): Promise<unknown[]> {
  const { yielded } = await drained(openExport(fileOf(file), await readPrivateKey(recipient.privatePem)))
  return yielded
    .map(({ value }) => value)
    .filter(({ type }) => type === 'message')
    .map(({ body }) => body)
}
