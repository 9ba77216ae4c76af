import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeleteConversationDocument, RotateKeyDocument } from '../../documents/generated.js'
import { type Writer, type WrittenConversation, writeAfter, writeBefore } from '../../scripts/release/written-world.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { localMasterKeys } from '../support/master-key-config.js'
import { hasReader, linesOf, pythonsOrNone, type ReaderRun, runReader } from '../support/reader.js'

/** docs/reader, which was written from docs/format.md, on what the server has written. */

interface ReadMessage {
  sequence: number
  id: string
  kind: string
  sender: string | null
  status: string
  body: string | null
  reason: string | null
  revision: number
  replyTo: string | null
  createdAt: string
  editedAt: string | null
  deletedAt: string | null
}

interface ReadConversation {
  conversation: string
  title: string | null
  titleStatus: string
}

describe.skipIf(!hasReader).each(pythonsOrNone)('the reader in Python (%s)', (python) => {
  let conclave: TestConclave
  let written: WrittenConversation[]
  let secrets: string

  const read = (args: string[], env: Record<string, string> = {}): ReaderRun =>
    runReader(python, 'read_conclave.py', args, {
      DATABASE_URL: conclave.database.urlOf('conclave_api'),
      MASTER_SECRETS: secrets,
      ...env
    })

  beforeAll(async () => {
    conclave = await bootConclave({ dataKeyMaxMessages: 100 }, localMasterKeys('a'))
    const before = await writeBefore(writerOf(conclave))
    await conclave.restart({}, localMasterKeys('b', ['a']))
    written = await writeAfter(writerOf(conclave), before)
    // The secret before is not needed any more.
    secrets = localMasterKeys('b').MASTER_SECRETS ?? ''
  })
  afterAll(() => conclave.close())

  it('refuses to begin without a database, without secrets, and with what is no conversation', () => {
    const id = idOf(written, 0)
    expect(read(['--list'], { DATABASE_URL: '' })).toMatchObject({ code: 2 })
    expect(read(['--list'], { DATABASE_URL: 'postgres://127.0.0.1:1/none' })).toMatchObject({ code: 1 })
    expect(read([id], { MASTER_SECRETS: '' })).toMatchObject({ code: 1, output: '' })
    expect(read(['not-a-uuid'])).toMatchObject({ code: 2, output: '' })
    expect(read([])).toMatchObject({ code: 2, output: '' })
    const unknown = read(['019a2f4e-ffff-7fff-bfff-ffffffffffff'])
    expect(unknown).toMatchObject({ code: 1, output: '' })
    expect(unknown.errors).toContain('There is no conversation 019a2f4e-ffff-7fff-bfff-ffffffffffff')
  })

  it('says which secret is bad by its place, and not what it is', () => {
    const { code, errors } = read(['--list'], { MASTER_SECRETS: `${secrets},other=c2hvcnQ=` })
    expect(code).toBe(1)
    expect(errors).toContain('master secret 2 is not id=base64 of 32 bytes')
    expect(errors).not.toContain('c2hvcnQ')
  })

  it('opens nothing without the secret that the keys lie under, and says so of each message', () => {
    const id = idOf(written, 0)
    const { code, output } = read([id], { MASTER_SECRETS: localMasterKeys('a').MASTER_SECRETS ?? '' })
    expect(code).toBe(3)
    expect(output).toContain('[unreadable: its key lies under local:b, of which there is no secret here]')
    expect(output).not.toContain('Grüße')
  })

  it('opens nothing with another secret of the same name', () => {
    const other = `b=${Buffer.alloc(32, 'another').toString('base64')}`
    const messages = messagesOf(read([idOf(written, 0), '--json'], { MASTER_SECRETS: other }))
    expect(messages.map(({ body }) => body)).toEqual(messages.map(() => null))
    expect(messages[0]?.reason).toContain('does not open')
  })

  it('shows every message as the server shows it, and as it was written', async () => {
    const alice = await conclave.as('alice')
    for (const { id, title, deleted, messages } of written) {
      const run = read([id, '--json'])
      expect(run.errors).toBe(messages.some(({ status }) => status === 'UNREADABLE') ? SOMETHING : '')
      const [conversation, ...found] = linesOf<ReadConversation & ReadMessage>(run)
      expect(conversation).toMatchObject({ conversation: id, title, titleStatus: 'READABLE' })
      expect(found.map(asWritten)).toEqual(messages)
      // The server shows a deleted conversation to nobody.
      if (!deleted) expect(found.map(asServed)).toEqual((await readBack(alice, id)).map(asRead))
    }
  })

  it('reads a conversation that is longer than what it takes at once, under many data keys', {
    timeout: 120_000
  }, async () => {
    const alice = await conclave.as('alice')
    const id = await createConversation(alice, [], { title: 'Long' })
    for (const version of [1, 2]) {
      for (let round = 0; round < 6; round++) {
        await Promise.all(Array.from({ length: 50 }, (_, n) => send(alice, id, `${version} ${round} ${n}`)))
      }
      await alice.run(RotateKeyDocument, { conversationId: id })
    }
    const found = messagesOf(read([id, '--json']))
    expect(found).toHaveLength(600)
    expect(found.map(asServed)).toEqual((await readBack(alice, id)).map(asRead))
    const [dataKeys] = await conclave.database.query<{ count: number }>(
      'select count(distinct data_key_id)::integer as count from messages where conversation_id = $1',
      [id]
    )
    expect(dataKeys?.count).toBeGreaterThan(5)
    await alice.run(DeleteConversationDocument, { conversationId: id })
  })

  it('lists the conversations with their titles', () => {
    const { code, output } = read(['--list'])
    expect(code).toBe(0)
    const lines = output.trim().split('\n')
    // And the long one, which is deleted by now.
    expect(lines).toHaveLength(written.length + 1)
    for (const { id, title } of written) {
      expect(lines.find((line) => line.startsWith(id))).toContain(title ?? '[no title]')
    }
  })

  it('prints for people who said what, what was edited, and what is gone, and why', () => {
    const [lunch = '', kept = '', , , pending = ''] = written.map(({ id }) => read([id]).output)
    expect(lunch).toMatch(/^#1 {2}\S+Z {2}alice \(edited\): Hungry, all of you\?$/m)
    expect(lunch).toMatch(/^#3 {2}\S+Z {2}zoë@example\.org ✓: \[deleted\]$/m)
    expect(lunch).toMatch(/^#7 {2}\S+Z {2}system: Alice changed the title to Mittagessen – 昼食$/m)
    expect(kept).toMatch(/^#1 {2}\S+Z {2}alice: \[key destroyed: key version 1 is destroyed\]$/m)
    expect(pending).toMatch(/^#1 .*\[unreadable: key version 1 waits for its destruction\]$/m)
  })

  it('prints no character that a terminal would obey', () => {
    const { output } = read([idOf(written, 6)])
    expect(output).toContain('\\u001b[2J{"not": "JSON"}\\u0000')
    expect(output).toContain('\\u202eeverything')
    expect(output.replaceAll('\n', '')).not.toMatch(/\p{Cc}|[\u202a-\u202e]/u)
  })

  it('says of a message that was tampered with that it does not open, and shows those beside it', async () => {
    const id = idOf(written, 6)
    const swapped = 'update messages set sender_id = $3 where conversation_id = $1 and sequence = $2'
    await conclave.database.query(swapped, [id, 2, 'alice'])
    const found = messagesOf(read([id, '--json']))
    expect(found.map(({ status }) => status)).toEqual(
      found.map((_, index) => (index === 1 ? 'UNREADABLE' : 'READABLE'))
    )
    expect(found[1]).toMatchObject({ body: null, reason: 'the message does not open' })
    await conclave.database.query(swapped, [id, 2, 'bob'])
  })

  it('verifies the audit trail, and finds where it was changed', async () => {
    const verify = () => runReader(python, 'verify_key_events.py', [], { DATABASE_URL: conclave.database.url })
    expect(verify()).toMatchObject({ code: 0, output: 'The audit trail is whole.\n' })
    const [event] = await conclave.database.query<{ sequence: string }>(
      `select sequence from key_events where action = 'key.destroyed' order by sequence limit 1`
    )
    const change = (actor: string) =>
      conclave.database.query(`
        set session_replication_role = replica;
        update key_events set actor = '${actor}' where sequence = ${event?.sequence};
        set session_replication_role = default`)
    await change('mallory')
    expect(verify()).toMatchObject({
      code: 3,
      output: `The audit trail is not whole from event ${event?.sequence} on.\n`
    })
    await change('scheduler')
  })

  it('opens every vector, and refuses every one that it must', () => {
    const { code, output } = runReader(python, 'check_vectors.py', ['test/vectors'])
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/^\d{3} cases, 0 faults\n$/) })
  })
})

const SOMETHING = 'Something could not be opened: see what is said in its place.\n'

function writerOf({ services, workerServices, clock }: TestConclave): Writer {
  return { api: services, worker: workerServices, clock }
}

function idOf(written: WrittenConversation[], index: number): string {
  return written[index]?.id ?? expect.fail('there are seven conversations')
}

function messagesOf(run: ReaderRun): ReadMessage[] {
  return linesOf<ReadMessage>(run).slice(1)
}

function asWritten({ sequence, sender, status, body, editedAt }: ReadMessage) {
  return { sequence, sender, status, body, edited: editedAt !== null }
}

/** What both show. */
function asServed({ reason: _, revision: __, id: ___, replyTo, ...message }: ReadMessage) {
  return { ...message, isReply: replyTo !== null }
}

function asRead({ sequence, kind, sender, status, body, ...times }: Awaited<ReturnType<typeof readBack>>[number]) {
  const { createdAt, editedAt, deletedAt, replyTo } = times
  const shown = { sequence, kind, sender: sender?.id ?? null, status, body: body ?? null, createdAt }
  return { ...shown, editedAt: editedAt ?? null, deletedAt: deletedAt ?? null, isReply: replyTo != null }
}
