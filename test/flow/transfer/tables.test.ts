import { createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { importTables } from '../../../src/transfer/files/import-tables.js'
import { parseMapping } from '../../../src/transfer/sql/table-mapping.js'
import { tableStatements } from '../../../src/transfer/sql/table-statements.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { readBack } from '../../support/chat.js'
import type { TestDatabase } from '../../support/test-database.js'
import { CHAT_MAPPING, type ChatRows, createChatTables, fillChatTables } from '../../support/transfer/chat-tables.js'
import { python } from '../../support/transfer/python.js'

const CONVERSATIONS = 20
const MESSAGES = 500

let rows: ChatRows
let theirs: TestDatabase
let conclave: TestConclave

describe.runIf(python)(
  'an import of a table whose bodies RSA-OAEP has encrypted, one key for each conversation',
  () => {
    beforeAll(async () => {
      const made = await createChatTables(CONVERSATIONS, MESSAGES)
      rows = made.rows
      theirs = made.database
    })
    beforeEach(async () => {
      conclave = await bootConclave()
      await fillChatTables(theirs, rows)
    })
    afterEach(async () => {
      await conclave.close()
    })
    afterAll(async () => {
      await theirs.drop()
    })

    it('is refused with a mapping that is wrong, which it names', () => {
      expect(() => parseMapping('{')).toThrow('not JSON')
      expect(() => parseMapping('{"messages": {"tabel": "x"}}')).toThrow(/messages: .*tabel/)
    })

    it('says of which column or table there is none, and changes nothing', async () => {
      await expect(
        run({ ...CHAT_MAPPING, messages: { table: 'chat_message"; drop table auth_user; --' } })
      ).rejects.toThrow(/does not exist/)
      expect(await theirs.query('select from auth_user')).toHaveLength(3)
    })

    it('says that the database cannot be reached, without the password of its URL', async () => {
      const problem: Error = await run(CHAT_MAPPING, 'postgres://reader:top-secret@127.0.0.1:1/chat').then(
        () => new Error(),
        (error) => error
      )
      expect(problem.message).toContain('cannot be reached: ECONNREFUSED')
      expect(problem.message).not.toContain('top-secret')
    })

    it('stops at a body that the key does not open, says which, and goes on once it was mended', async () => {
      const [first] = rows.conversations
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const other = privateKey.export({ type: 'pkcs8', format: 'pem' })
      await theirs.query('update "chat ""conversation""" set private_key = $1 where id = 5', [other])
      const problem: Error & { line?: number } = await run(CHAT_MAPPING).then(
        () => new Error(),
        (error) => error
      )
      expect(problem.message).toBe('The key of conversation 5 does not open message 5.')
      expect(problem.line).toBeGreaterThan(0)
      await theirs.query('update "chat ""conversation""" set private_key = $1 where id = 5', [
        rows.conversations[4]?.private_key
      ])
      expect(first).toBeDefined()
      expect(await run(CHAT_MAPPING)).toMatchObject({ resumedBehind: (problem.line ?? 0) - 1, finished: true })
      await expectAll()
    })

    it('says where a private key is none, without repeating it', async () => {
      await theirs.query(`update "chat ""conversation""" set private_key = 'top secret' where id = 1`)
      const problem: Error = await run(CHAT_MAPPING).then(
        () => new Error(),
        (error) => error
      )
      expect(problem).toMatchObject({
        message: expect.stringMatching(/^Conversation 1: .*not an RSA key in PEM/),
        line: expect.any(Number)
      })
      expect(problem.message).not.toContain('top secret')
    })

    it('says which message has no time, and imports nothing', async () => {
      await theirs.query('update chat_message set created_at = null where id = 7')
      await expect(run(CHAT_MAPPING)).rejects.toMatchObject({
        code: 'FORMAT',
        message: expect.stringMatching(/^Message 7 of conversation 7 has no time/)
      })
      expect(await conclave.database.query('select from conversations')).toEqual([])
    })

    it('finds the messages of a conversation by an index on its column', async () => {
      await theirs.query('create index messages_by_conversation on chat_message (conversation_id)')
      const client = new pg.Client({ connectionString: theirs.url, options: '-c enable_seqscan=off' })
      await client.connect()
      try {
        const { messages, members } = tableStatements(parseMapping(null))
        for (const statement of [messages, members]) {
          const { rows } = await client.query(`explain (generic_plan) ${statement}`)
          expect(inJson(rows)).toContain('Index Cond: (conversation_id = $1)')
        }
      } finally {
        await client.end()
        await theirs.query('drop index messages_by_conversation')
      }
    })

    it('brings every message across, in its order, from its sender and at its time', async () => {
      expect(await run(CHAT_MAPPING)).toMatchObject({ messages: MESSAGES, finished: true })
      await expectAll()
    })

    it('brings all of a conversation across that is longer than what is read at a time', async () => {
      await theirs.query(
        `insert into chat_message select 10000 + n, m.conversation_id, m.sender_id, m.body, m.created_at
           from chat_message m, generate_series(1, 600) n where m.id = 1`
      )
      expect(await run(CHAT_MAPPING)).toMatchObject({ messages: MESSAGES + 600, finished: true })
    })

    it('takes ids of users, owners and times of edits from the columns that are named for them', async () => {
      const conversations = { ...CHAT_MAPPING.conversations, owner: 'id' }
      await run({ conversations, messages: { editedAt: 'created_at' } })
      const owners = await conclave.database.query<{ user_id: string }>(
        `select user_id from members where role = 'OWNER'`
      )
      expect(owners.map(({ user_id }) => Number(user_id)).sort((a, b) => a - b)).toEqual(
        rows.conversations.map(({ id }) => id)
      )
      const senders = await conclave.database.query<{ sender_id: string }>('select distinct sender_id from messages')
      expect(senders.map(({ sender_id }) => Number(sender_id)).sort()).toEqual(rows.users.map(({ id }) => id).sort())
      expect(await conclave.database.query('select from messages where edited_at = created_at')).toHaveLength(MESSAGES)
    })

    it('makes nobody an owner who has left', async () => {
      const [left] = rows.messages.filter(({ conversation_id }) => conversation_id === 1)
      const [stays] = rows.users.filter(({ id }) => id !== left?.sender_id)
      await theirs.query('create table participant (conversation_id integer, user_id integer)')
      try {
        await theirs.query('insert into participant select id, $1 from "chat ""conversation"""', [stays?.id])
        await run({ ...CHAT_MAPPING, members: { table: 'participant' } })
        const members = await conclave.database.query('select distinct user_id, role from members')
        expect(members).toEqual([{ user_id: stays?.username, role: 'OWNER' }])
      } finally {
        await theirs.query('drop table participant')
      }
    })

    it('says which message has no sender and where nobody is, and has a user who is named stand for them', async () => {
      await theirs.query('update chat_message set sender_id = null where conversation_id = 1')
      await theirs.query('delete from chat_message where conversation_id = 2')
      await expect(run(CHAT_MAPPING)).rejects.toThrow(
        /^Message \d+ of conversation 1 has no sender\. Name a user .* as "nobody" in the mapping\.$/
      )
      await theirs.query('delete from chat_message where conversation_id = 1')
      await expect(run(CHAT_MAPPING)).rejects.toThrow(/^Nobody is in conversation 1\. Name a user/)
      expect(await run({ ...CHAT_MAPPING, nobody: 'archive' })).toMatchObject({ finished: true })
      const owned = await conclave.database.query(`select from members where role = 'OWNER' and user_id = 'archive'`)
      expect(owned).toHaveLength(2)
      expect(await conclave.database.query('select from members where role = $1', ['OWNER'])).toHaveLength(
        CONVERSATIONS
      )
    })

    it('has the user who is named as the sender of messages that have none', async () => {
      await theirs.query('update chat_message set sender_id = null where conversation_id = 1')
      const count = rows.messages.filter(({ conversation_id }) => conversation_id === 1).length
      expect(await run({ ...CHAT_MAPPING, nobody: 'archive' })).toMatchObject({ messages: MESSAGES, finished: true })
      expect(await conclave.database.query(`select from messages where sender_id = 'archive'`)).toHaveLength(count)
    })

    it('keeps the place of a body that is blank, as of a deleted message', async () => {
      const key = createPublicKey(rows.conversations[0]?.private_key ?? '')
      const blank = publicEncrypt({ key, oaepHash: 'sha256' }, Buffer.from(' \n'))
      await theirs.query('update chat_message set body = $1 where id = 1', [blank.toString('base64')])
      expect(await run(CHAT_MAPPING)).toMatchObject({ messages: MESSAGES, blank: 1, unreadable: 0, finished: true })
      const deleted = await conclave.database.query('select from messages where deleted_at = created_at')
      expect(deleted).toHaveLength(1)
    })

    it('again changes nothing', async () => {
      await run(CHAT_MAPPING)
      expect(await run(CHAT_MAPPING)).toMatchObject({ messages: 0, finished: true })
      await expectAll()
    })
  }
)

async function expectAll(): Promise<void> {
  const names = new Map(rows.users.map(({ id, username }) => [id, username]))
  const conversations = await conclave.database.query<{ id: string }>('select id from conversations')
  expect(conversations).toHaveLength(CONVERSATIONS)
  const read = new Map<string, { body: string; sender: string; at: string }[]>()
  for (const { id } of conversations) {
    const [owner] = await conclave.database.query<{ user_id: string }>(
      `select user_id from members where conversation_id = $1 and role = 'OWNER'`,
      [id]
    )
    const messages = await readBack(await conclave.as(owner?.user_id ?? ''), id)
    read.set(
      messages[0]?.body ?? '',
      messages.map(({ body, sender, createdAt }) => ({
        body: body ?? '',
        sender: sender?.id ?? '',
        at: String(createdAt)
      }))
    )
  }
  for (const { id } of rows.conversations) {
    const expected = rows.messages
      .filter((row) => row.conversation_id === id)
      .map(({ plain, sender_id, created_at }) => ({
        body: plain,
        sender: names.get(sender_id),
        at: new Date(created_at).toISOString()
      }))
    expect(read.get(expected[0]?.body ?? '')).toEqual(expected)
  }
}

async function run(mapping: object, databaseUrl = theirs.url) {
  const folder = mkdtempSync(join(tmpdir(), 'conclave-mapping-'))
  try {
    const path = join(folder, 'mapping.json')
    writeFileSync(path, inJson(mapping))
    const tables = { databaseUrl, mapping: path, name: 'sql:chat' }
    return await importTables(conclave.services, tables, { actor: 'operator:test' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const inJson = (value: unknown) => JSON.stringify(value)
