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
import { findKeyOperation } from '../../../src/key-life/key-operations.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'
import { importExport, verifyExport } from '../../../src/transfer/import-export.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import { writeOrderedExport } from '../../../src/transfer/write-ordered-export.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import type { GraphQLClient } from '../../support/graphql-client.js'
import { drained, fileOf } from '../../support/transfer/files.js'
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
    const stop = new AbortController()
    const { database } = conclave.workerServices
    const write = database.run.bind(database)
    const lost = vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
      const rows = await write(statement, values)
      // The process is gone with the first part written: nobody tells that it ended.
      if (statement.name === 'write-export-part') throw new Error('the process was killed')
      return rows as never
    })
    await expect(runOperation(conclave.workerServices, id, stop.signal)).rejects.toThrow('killed')
    lost.mockRestore()
    await run(id)
    expect(await bodiesIn(await (await fetched(id, 'alice')).text())).toHaveLength(20)
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
    await run(id)
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
