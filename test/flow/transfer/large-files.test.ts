import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../../support/boot.js'
import { InstalledProgram, type RunningProgram } from '../../support/program.js'
import { ecRecipient } from '../../support/transfer/recipients.js'

const MESSAGES = Number(process.env.LARGE_FILE_MESSAGES ?? 100_000)
const BODY = 'x'.repeat(2000)
/** Of JavaScript's objects: the file alone has a third more. With less, collecting garbage takes most of the time. */
const HEAP = ['--max-old-space-size=160']
const KILLS = 6

const recipient = ecRecipient()
let conclave: TestConclave
let program: InstalledProgram
let file: string

beforeAll(async () => {
  program = await InstalledProgram.built()
  conclave = await bootConclave()
  file = join(program.folder, 'large.jsonl')
  await pipeline(linesOf('large', MESSAGES), createWriteStream(file))
  writeFileSync(join(program.folder, 'public.pem'), recipient.publicPem)
  writeFileSync(join(program.folder, 'private.pem'), recipient.privatePem)
}, 300_000)
afterAll(async () => {
  await conclave.close()
  await program.remove()
})

describe(`${MESSAGES} messages`, () => {
  it('come in, go out and are opened by processes that cannot hold them', { timeout: 1_800_000 }, async () => {
    expect(await run(['import', file])).toMatchObject({ code: 0 })
    const [row] = await conclave.database.query<{ id: string; count: number }>(
      'select c.id, c.last_sequence as count from conversations c'
    )
    expect(row?.count).toBe(MESSAGES)
    expect(await run(['export', row?.id ?? '', '--for', 'public.pem', '--out', 'large.export'])).toMatchObject({
      code: 0
    })
    const opened = await run(['open', 'large.export', '--key', 'private.pem', '--out', 'opened.jsonl'])
    expect(opened).toMatchObject({ code: 0, output: expect.stringContaining(`${MESSAGES} messages, exported at`) })
    let sequence = 0
    for await (const line of createInterface({ input: createReadStream(join(program.folder, 'opened.jsonl')) })) {
      const record = JSON.parse(line)
      if (record.type !== 'message') continue
      expect([record.sequence, record.body]).toEqual([++sequence, bodyOf(sequence)])
    }
    expect(sequence).toBe(MESSAGES)
  })
})

describe(`an import that is killed ${KILLS} times`, () => {
  it('ends as one does that is not: every message once, in its order', { timeout: 300_000 }, async () => {
    const count = 20_000
    const path = join(program.folder, 'killed.jsonl')
    await pipeline(linesOf('killed', count), createWriteStream(path))
    let lines = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const running = start(['import', path])
      // At any moment of its work, as long as it has come further.
      await vi.waitFor(async () => expect(await position('killed.jsonl')).toBeGreaterThan(lines), {
        timeout: 60_000,
        interval: 10
      })
      await running.kill()
      lines = await position('killed.jsonl')
    }
    expect(lines).toBeLessThan(count)
    expect(await run(['import', path])).toMatchObject({
      code: 0,
      output: expect.stringContaining(`begun behind line ${lines}`)
    })
    const [row] = await conclave.database.query<{ count: number; wrong: number }>(
      `select count(*)::integer as count,
              count(*) filter (where m.created_at <> to_timestamp($1 + m.sequence))::integer as wrong
         from messages m join imported_conversations i using (conversation_id) join imports s on s.id = i.import_id
        where s.source = 'killed.jsonl'`,
      [BEGAN]
    )
    expect(row).toEqual({ count, wrong: 0 })
  })

  it('says of a file that cannot be opened, and of a key that does not fit, what is wrong', async () => {
    expect(await run(['import', 'nowhere.jsonl'])).toMatchObject({
      code: 1,
      output: expect.stringContaining('nowhere.jsonl')
    })
    const wrong = await run(['export', crypto.randomUUID(), '--for', 'private.pem'])
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining('private.pem: This is a private key') })
    for (const line of readFileSync(join(program.folder, 'private.pem'), 'utf8').split('\n').slice(1, -2)) {
      expect(wrong.output).not.toContain(line)
    }
  })
})

const BEGAN = 1_600_000_000
const bodyOf = (sequence: number) => `message ${sequence} ${BODY}`

function* linesOf(conversationId: string, messages: number): Generator<string> {
  yield inJson({ type: 'conversation', id: conversationId })
  for (let sequence = 1; sequence <= messages; sequence++) {
    const createdAt = new Date((BEGAN + sequence) * 1000).toISOString()
    const senderId = `sender-${sequence % 10}`
    yield inJson({ type: 'message', conversationId, id: `m${sequence}`, senderId, body: bodyOf(sequence), createdAt })
  }
  yield inJson({ type: 'member', conversationId, userId: 'sender-1', role: 'OWNER' })
}

function inJson(record: object): string {
  return `${JSON.stringify(record)}\n`
}

function start(args: string[]): RunningProgram {
  return program.startCommand(args, programEnvironment(conclave), HEAP)
}

async function run(args: string[]) {
  return await start(args).finished()
}

async function position(source: string): Promise<number> {
  const [row] = await conclave.database.query<{ lines: number }>('select lines from imports where source = $1', [
    source
  ])
  return row?.lines ?? 0
}
