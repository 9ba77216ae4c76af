import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateKeyDocument, ScheduleKeyDestructionDocument } from '../../../documents/generated.js'
import { bootConclave, programEnvironment, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import { type Ended, InstalledProgram } from '../../support/program.js'
import { hasTerminal, onTerminal } from '../../support/terminal.js'
import { ecRecipient, rsaRecipient } from '../../support/transfer/recipients.js'
import { resealed } from '../../support/transfer/resealed.js'

/** What the commands export and import say of what they are given, and what is in the database then. */

const recipient = ecRecipient()
let program: InstalledProgram
let source: TestConclave
let target: TestConclave
/** With two messages whose key is on its way out, and one that was changed behind the server's back. */
let id: string

beforeAll(async () => {
  program = await InstalledProgram.built()
  source = await bootConclave()
  target = await bootConclave()
  id = await withLosses(source)
  const weak = rsaRecipient(1024).publicPem
  const pems = { public: recipient.publicPem, private: recipient.privatePem, weak }
  for (const [name, pem] of Object.entries(pems)) writeFileSync(pathOf(`${name}.pem`), pem)
}, 180_000)
afterAll(async () => {
  await program.remove()
  await source.close()
  await target.close()
})

describe('conclave export', () => {
  it.each([
    ['too small', 'weak.pem', 'weak.pem: The RSA key has 1024 bits; 2048 are the least'],
    ['not there', 'nowhere.pem', 'nowhere.pem: It cannot be read (ENOENT).']
  ])('for a key that is %s says so, and leaves no file', async (_, key, words) => {
    const { code, stderr } = await command(source, 'export', id, '--for', key, '--out', 'refused.export')
    expect([code, stderr]).toEqual([1, expect.stringContaining(words)])
    for (const name of ['refused.export', 'refused.export.partial']) expect(existsSync(pathOf(name))).toBe(false)
  })
})

describe('conclave export that goes well', () => {
  let whole: string
  const args = () => ['export', whole, '--for', 'public.pem']
  beforeAll(async () => {
    const alice = await source.as('alice')
    whole = await createConversation(alice, [])
    for (let count = 1; count <= 4; count++) await send(alice, whole, `message ${count}`)
  })

  it('says how far it is on standard error, and leaves standard output to the export', async () => {
    const { code, stdout, stderr } = await command(source, ...args())
    expect([code, stderr]).toEqual([0, '\r4 messages\n'])
    expect(stdout.split('\n')[0]).toMatch(/^ey/)
    expect(await command(source, ...args(), '--out', 'silent.export')).toMatchObject({ code: 0, stdout: '' })
  })

  it('says it in JSON where that was asked for', async () => {
    const { code, stderr } = await command(source, ...args(), '--json')
    expect(code).toBe(0)
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    ).toEqual([{ records: expect.any(Number), messages: 4, total: 4 }])
  })

  it.skipIf(!hasTerminal)('shows a bar on a terminal', async () => {
    const { code, output } = await seen(source, 'export', whole, '--for', 'public.pem', '--out', 'seen.export')
    expect([code, output]).toEqual([0, expect.stringMatching(/Exporting █+ 100% 4 messages/)])
  })

  it.skipIf(!hasTerminal)(
    'counts on a terminal what one user wrote, of which nobody knows how much there is',
    async () => {
      const { code, output } = await seen(
        source,
        'export',
        '--user',
        'alice',
        '--for',
        'public.pem',
        '--out',
        'alice.export'
      )
      expect([code, output]).toEqual([0, expect.stringMatching(/\r\d+ messages\s+$/)])
      expect(output).not.toMatch(/[█░]/)
    }
  )

  it('ends with 141, and does not take its reader, who has gone, for the database', async () => {
    const options = { cwd: program.folder, env: { PATH: process.env.PATH, ...programEnvironment(source) } }
    const child = spawn(join(program.folder, 'bin', 'conclave'), args(), options)
    child.stdout.destroy()
    let said = ''
    child.stderr.on('data', (chunk) => (said += chunk))
    const [code] = await once(child, 'close')
    expect(code).toBe(141)
    expect(said.replace(/\r\d+ messages/g, '')).toBe('')
  })
})

describe('conclave import of an export', () => {
  beforeAll(async () => {
    expect(await command(source, 'export', id, '--for', 'public.pem', '--out', 'ward.export')).toMatchObject({
      code: 0
    })
    writeFileSync(pathOf('signing.pem'), (await command(source, 'export', '--signing-keys')).stdout)
  })

  it('stores nothing of one whose manifest is that of other lines, or is signed by nobody that is known', async () => {
    const lines = readFileSync(pathOf('ward.export'), 'utf8').match(/.+\n/g) ?? []
    const forged = await resealed(lines, recipient, (rows) => rows.map((row) => row.replace('"four"', '"five"')))
    writeFileSync(pathOf('forged.export'), forged.join(''))
    const refused: [string[], string][] = [
      [['forged.export', '--signed-by', 'signing.pem'], 'The hash in the manifest is not that of the file.'],
      [['ward.export'], 'which is not known here']
    ]
    for (const [args, words] of refused) {
      const { code, stderr } = await command(target, 'import', ...args, '--key', 'private.pem')
      expect([code, stderr]).toEqual([1, expect.stringContaining(words)])
    }
    expect(await target.database.query('select from imports')).toEqual([])
  })

  it('counts the messages that could not be opened when it was made, which are stored as deleted', async () => {
    const { code, stdout } = await command(
      target,
      ...['import', 'ward.export', '--key', 'private.pem', '--signed-by', 'signing.pem']
    )
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^4 messages stored; all up to line \d+ are in\. Of all that are in, stored as deleted: 3 that could not be opened any more when they were exported\.\n$/
      )
    ])
    const read = await readBack(await target.as('alice'), id)
    expect(read.map(({ status, body }) => body ?? status)).toEqual(['DELETED', 'DELETED', 'DELETED', 'four'])
  })

  it('is refused where the conversation is there, with the line', async () => {
    const args = ['import', 'ward.export', '--key', 'private.pem', '--signed-by', 'signing.pem']
    expect(await command(source, ...args)).toMatchObject({
      code: 1,
      stderr: `Line 1: There is a conversation ${id} already.\nNothing of it is in. Given again, it begins anew.\n`
    })
  })
})

describe('conclave import of JSON Lines', () => {
  it.skipIf(!hasTerminal)('shows on a terminal how far the file was read', async () => {
    const owner = inLine({ type: 'member', conversationId: 'long', userId: 'alice', role: 'OWNER' })
    const lines = [inLine({ type: 'conversation', id: 'long' }), message(1), message(2), owner]
    writeFileSync(pathOf('seen.jsonl'), lines.map((line) => `${line}\n`).join(''))
    const { code, output } = await seen(target, 'import', 'seen.jsonl')
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/\r\d+ messages/)
    expect(output).toMatch(/Reading █+ 100% 2 messages, line 4/)
  })

  /** Where each of them belongs into the file, behind 1,100 messages: a batch has 1,000. */
  const AT = 1102

  it.each([
    ['is cut off', '{"type":"message","conversationId":"long"', 'The line is not JSON.', AT - 1],
    [
      'has a body over the limit',
      message(1101, { body: 'x'.repeat(70_000) }),
      'The body has 70000 bytes in UTF-8; at most 65536 are allowed.',
      AT - 1
    ],
    ['is there already', message(7), 'There is a message with this id already.', 1001]
  ])(
    'stops at a line that %s, says which, and goes on behind the batch before it',
    async (problem, bad, words, position) => {
      const good = Array.from({ length: 1100 }, (_, index) => message(index + 1))
      const rest = [message(1101), inLine({ type: 'member', conversationId: 'long', userId: 'alice', role: 'OWNER' })]
      const begin = inLine({ type: 'conversation', id: 'long' })
      // Under names of their own they are conversations of their own.
      const importing = async (lines: string[], ...options: string[]) => {
        writeFileSync(pathOf('long.jsonl'), lines.map((line) => `${line}\n`).join(''))
        return await command(target, 'import', 'long.jsonl', '--name', problem, ...options)
      }
      const refused = await importing([begin, ...good, bad, ...rest], '--json')
      expect([refused.code, refused.stdout]).toEqual([1, ''])
      expect(JSON.parse(refused.stderr.trim().split('\n').at(-1) ?? '')).toEqual({
        error: `Line ${AT}: ${words}`,
        line: AT,
        position
      })
      expect(await storedUnder(problem)).toEqual({ lines: position, messages: position - 1, found: position - 1 })
      expect(await importing([begin, ...good, ...rest])).toMatchObject({
        code: 0,
        stdout: `${1101 - position + 1} messages stored, begun behind line ${position}; all up to line 1103 are in.\n`
      })
      expect(await storedUnder(problem)).toEqual({ lines: 1103, messages: 1101, found: 1101 })
    }
  )
})

describe('conclave import that is stopped by a line', () => {
  it('says so on a line of its own, and where it goes on', async () => {
    const lines = [inLine({ type: 'conversation', id: 'long' }), message(1), 'broken']
    writeFileSync(pathOf('stopped.jsonl'), lines.map((line) => `${line}\n`).join(''))
    const { code, stderr } = await command(target, 'import', 'stopped.jsonl')
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /1 messages, line 2\nLine 3: The line is not JSON\.\nAll up to line 2 are in\. Given again, it goes on behind that line\.\n$/
      )
    ])
  })
})

function message(n: number, more: object = {}): string {
  const createdAt = new Date(Date.UTC(2020, 0, 1) + n * 1000).toISOString()
  return inLine({
    type: 'message',
    conversationId: 'long',
    id: `m${n}`,
    senderId: 'alice',
    body: `${n}`,
    createdAt,
    ...more
  })
}

function inLine(record: object): string {
  return JSON.stringify(record)
}

async function withLosses(conclave: TestConclave): Promise<string> {
  const admin = await conclave.as('alice', { scopes: ['keys:admin'] })
  const conversationId = await createConversation(admin, [])
  for (const body of ['one', 'two']) await send(admin, conversationId, body)
  await admin.run(RotateKeyDocument, { conversationId })
  for (const body of ['three', 'four']) await send(admin, conversationId, body)
  await conclave.database.query(`update messages set envelope = envelope || '\\x00' where sequence = 3`)
  await admin.run(ScheduleKeyDestructionDocument, { conversationId, version: 1, after: 'P7D' })
  return conversationId
}

async function storedUnder(name: string) {
  const [row] = await target.database.query(
    `select i.lines, i.messages, (select count(*)::integer from messages m where m.conversation_id = c.conversation_id) as found
       from imports i join imported_conversations c on c.import_id = i.id where i.source = $1`,
    [name]
  )
  return row
}

async function command(conclave: TestConclave, ...args: string[]): Promise<Ended> {
  return await program.command(args, programEnvironment(conclave))
}

/** What somebody sees at a terminal. */
async function seen(conclave: TestConclave, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const options = { cwd: program.folder, env: programEnvironment(conclave) }
  return await onTerminal(`bin/conclave ${args.join(' ')}`, options, { question: 'There is none.', answer: '' })
}

function pathOf(name: string): string {
  return join(program.folder, name)
}
