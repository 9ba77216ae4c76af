import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../../support/boot.js'
import { InstalledProgram, type RunningProgram } from '../../support/program.js'
import { ecRecipient } from '../../support/transfer/recipients.js'

const MESSAGES = Number(process.env.LARGE_FILE_MESSAGES ?? 25_000)
const BODY_BYTES = 8000
/** Of JavaScript's objects: beside the program itself, the file alone does not fit in. With less, collecting garbage takes most of the time. */
const HEAP = ['--max-old-space-size=256']
/** As far as collecting garbage is put off, however long the file is: one that kept all of it would grow by 180 MB at least. */
const GROWTH_MAX_BYTES = 160e6
const KILLS = 6
const NOTE_PEAK_MEMORY = new URL('../../support/note-peak-memory.mjs', import.meta.url).href
const isLinux = process.platform === 'linux'

const recipient = ecRecipient()
let conclave: TestConclave
let program: InstalledProgram

beforeAll(async () => {
  program = await InstalledProgram.built()
  conclave = await bootConclave()
  writeFileSync(join(program.folder, 'public.pem'), recipient.publicPem)
  writeFileSync(join(program.folder, 'private.pem'), recipient.privatePem)
}, 300_000)
afterAll(async () => {
  await conclave.close()
  await program.remove()
})

describe(`${MESSAGES} messages`, () => {
  let peaks: Peaks
  beforeAll(async () => {
    peaks = await carried('large', MESSAGES)
  }, 1_800_000)

  it('come in, go out and are opened by processes that cannot hold them', { timeout: 600_000 }, async () => {
    let sequence = 0
    for await (const line of createInterface({ input: createReadStream(join(program.folder, 'large.opened')) })) {
      const record = JSON.parse(line)
      if (record.type !== 'message') continue
      expect([record.sequence, record.body]).toEqual([++sequence, bodyOf(sequence)])
    }
    expect(sequence).toBe(MESSAGES)
  })

  it.runIf(isLinux)('take hardly more memory than a tenth of them', { timeout: 300_000 }, async () => {
    const few = await carried('small', MESSAGES / 10)
    // The limit of the heap holds for objects only, and not for the bytes of lines.
    for (const each of ['imported', 'exported', 'opened'] as const) {
      expect([each, peaks[each] - few[each] < GROWTH_MAX_BYTES]).toEqual([each, true])
    }
  })
})

describe(`an import that is killed ${KILLS} times`, () => {
  it('ends as one does that is not: every message once, in its order', { timeout: 300_000 }, async () => {
    const count = 20_000
    const path = join(program.folder, 'killed.jsonl')
    await pipeline(linesOf('killed', count, 2000), createWriteStream(path))
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

/** Resident memory of each process at its most, in bytes. */
interface Peaks {
  imported: number
  exported: number
  opened: number
}

/** Has so many messages imported, exported and opened, each by a process of its own; `<name>.opened` has them then. */
async function carried(name: string, messages: number): Promise<Peaks> {
  await pipeline(linesOf(name, messages), createWriteStream(join(program.folder, `${name}.jsonl`)))
  const imported = await peakOf('import', `${name}.jsonl`)
  const [row] = await conclave.database.query<{ id: string; count: number }>(
    `select c.id, c.last_sequence as count from conversations c
       join imported_conversations i on i.conversation_id = c.id join imports s on s.id = i.import_id and s.source = $1`,
    [`${name}.jsonl`]
  )
  expect(row?.count).toBe(messages)
  const exported = await peakOf('export', row?.id ?? '', '--for', 'public.pem', '--out', `${name}.export`)
  const opened = await peakOf('open', `${name}.export`, '--key', 'private.pem', '--out', `${name}.opened`)
  return { imported, exported, opened }
}

async function peakOf(...args: string[]): Promise<number> {
  const path = join(program.folder, 'peak')
  const noted = isLinux ? ['--import', NOTE_PEAK_MEMORY] : []
  const env = { ...programEnvironment(conclave), PEAK_MEMORY_FILE: path }
  expect(await program.startCommand(args, env, [...HEAP, ...noted]).finished()).toMatchObject({ code: 0 })
  return isLinux ? Number(readFileSync(path, 'utf8')) * 1024 : 0
}

const BEGAN = 1_600_000_000
const bodyOf = (sequence: number, bytes = BODY_BYTES) => `message ${sequence} ${'x'.repeat(bytes)}`

function* linesOf(conversationId: string, messages: number, bodyBytes = BODY_BYTES): Generator<string> {
  yield inJson({ type: 'conversation', id: conversationId })
  for (let sequence = 1; sequence <= messages; sequence++) {
    const createdAt = new Date((BEGAN + sequence) * 1000).toISOString()
    const senderId = `sender-${sequence % 10}`
    const body = bodyOf(sequence, bodyBytes)
    yield inJson({ type: 'message', conversationId, id: `m${sequence}`, senderId, body, createdAt })
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
