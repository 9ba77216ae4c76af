import { createPublicKey, publicEncrypt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../../support/boot.js'
import { readBack } from '../../support/chat.js'
import { holdTransaction, untilWaiting } from '../../support/held-transaction.js'
import { InstalledProgram } from '../../support/program.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import type { TestDatabase } from '../../support/test-database.js'
import { CHAT_MAPPING, type ChatRows, createChatTables, fillChatTables } from '../../support/transfer/chat-tables.js'
import { python } from '../../support/transfer/python.js'

/** As whoever moves to Conclave gives it: the program that was built, a mapping in a file, and a login that may only read. */

const MESSAGES = 30
const MAPPING = {
  ...CHAT_MAPPING,
  messages: { editedAt: 'edited', deletedAt: 'deleted' }
}
/** Message 1 is what its key does not open, message 4 is blank; both belong to conversation 1, as 7 and 10 do. */
const DELETED = '2022-02-03T04:05:06.789Z'
const EDITED = '2022-01-01T00:00:00.000Z'

let rows: ChatRows
let theirs: TestDatabase
let conclave: TestConclave
let program: InstalledProgram
let env: Record<string, string>

describe.runIf(python)('conclave import --sql', () => {
  beforeAll(async () => {
    program = await InstalledProgram.built()
    conclave = await bootConclave()
    const made = await createChatTables(3, MESSAGES)
    rows = made.rows
    theirs = made.database
    await fillChatTables(theirs, rows)
    // As Django has them without USE_TZ.
    await theirs.query('alter table chat_message add column edited timestamp, add column deleted timestamp')
    await theirs.query(
      `update chat_message set body = 'not for this key', deleted = '2022-02-03 04:05:06.789' where id = 1`
    )
    await theirs.query(`update chat_message set edited = '2022-01-01 00:00:00', body = $1 where id = 4`, [
      encrypted(' \n')
    ])
    await theirs.query(`update chat_message set edited = '2022-01-01 00:00:00' where id = 7`)
    await theirs.query('grant select on all tables in schema public to conclave_api')
    env = { ...programEnvironment(conclave), SOURCE_DATABASE_URL: theirs.urlOf('conclave_api') }
    writeFileSync(join(program.folder, 'mapping.json'), JSON.stringify(MAPPING))
  }, 180_000)
  afterAll(async () => {
    await program.remove()
    await conclave.close()
    await theirs.drop()
  })

  it('is refused with a file beside it, without its database, and with a mapping that there is not', async () => {
    expect(await program.command(['import', 'file.jsonl', '--sql'], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Name a file or, with --sql, read tables.')
    })
    expect(await program.command(['import', '--sql'], { ...env, SOURCE_DATABASE_URL: '' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('SOURCE_DATABASE_URL is missing')
    })
    expect(await program.command(['import', '--sql', '--mapping', 'nowhere.json'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nowhere.json: It cannot be read (ENOENT).')
    })
  })

  it('says that the connection to its database was lost, though nobody asked anything at that moment, and where it goes on', async () => {
    const url = new URL(env.SOURCE_DATABASE_URL ?? '')
    const proxy = await TcpProxy.start(Number(url.port))
    url.port = String(proxy.port)
    // Nothing can be stored, and so nothing more is read.
    const held = await holdTransaction(conclave.database)
    await held.query('lock table conversations in exclusive mode')
    const ended = program.command(['import', '--sql', '--mapping', 'mapping.json', '--name', 'cut'], {
      ...env,
      SOURCE_DATABASE_URL: url.href
    })
    await untilWaiting(conclave.database, 1)
    proxy.cut()
    await held.commit()
    const { code, stderr } = await ended
    await proxy.stop()
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /The connection to the database to import from was lost \(ECONNRESET\)\.\nAll up to line \d+ are in/
    )
  })

  it('stops at a row that it cannot take, says which, and changes nothing of its batch', async () => {
    await theirs.query(`update chat_message set body = 'not for this key' where id = 10`)
    const { code, stdout, stderr } = await importing()
    expect([code, stdout]).toEqual([1, ''])
    // Conversation 1 is line 1, its messages 1, 4, 7 and 10 are the next.
    expect(stderr).toContain('Line 5: The key of conversation 1 does not open message 10.\n')
    expect(await conclave.database.query(`select lines, finished_at from imports where source = 'sql'`)).toEqual([
      { lines: 4, finished_at: null }
    ])
    await theirs.query('update chat_message set body = $1 where id = 10', [encrypted('mended')])
  })

  it('goes on from there, and says what it has stored as deleted although nobody has deleted it', async () => {
    const { code, stdout } = await importing()
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^27 messages stored, begun behind line 4; all up to line \d+ are in\. Of all that are in, stored as deleted: 1 that were blank\.\n$/
    )
  })

  it('again, with JSON, changes nothing and counts the same', async () => {
    const { code, stdout } = await importing('--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ messages: 0, unreadable: 0, blank: 1, finished: true })
  })

  it('keeps times of deletion and of edits, and every other message as it was', async () => {
    const [conversation] = await conclave.database.query<{ id: string; owner: string }>(
      `select m.conversation_id as id, w.user_id as owner
         from messages m join members w on w.conversation_id = m.conversation_id and w.role = 'OWNER'
         join imported_conversations c on c.conversation_id = m.conversation_id join imports i on i.id = c.import_id
        where i.source = 'sql' and m.sequence = 1 and m.deleted_at = $1`,
      [DELETED]
    )
    const read = await readBack(await conclave.as(conversation?.owner ?? ''), conversation?.id ?? '')
    const [first, blank, edited, mended, ...rest] = read
    expect(first).toMatchObject({ status: 'DELETED', body: null, deletedAt: DELETED, createdAt: createdAt(1) })
    expect(blank).toMatchObject({ status: 'DELETED', body: null, deletedAt: EDITED, editedAt: EDITED })
    expect(edited).toMatchObject({ status: 'READABLE', body: plain(7), editedAt: EDITED, deletedAt: null })
    expect(mended).toMatchObject({ body: 'mended', createdAt: createdAt(10) })
    expect(rest.map(({ body }) => body)).toEqual([13, 16, 19, 22, 25, 28].map(plain))
  })
})

async function importing(...options: string[]) {
  return await program.command(['import', '--sql', '--mapping', 'mapping.json', ...options], env)
}

/** For the key of conversation 1. */
function encrypted(text: string): string {
  const key = createPublicKey(rows.conversations[0]?.private_key ?? '')
  return publicEncrypt({ key, oaepHash: 'sha256' }, Buffer.from(text)).toString('base64')
}

const row = (id: number) => rows.messages.find((each) => each.id === id) ?? expect.fail(`there is a message ${id}`)
const plain = (id: number) => row(id).plain
const createdAt = (id: number) => new Date(row(id).created_at).toISOString()
