import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { type Ended, InstalledProgram } from '../support/program.js'

/** What the command line does not do, and how it says so. */

let program: InstalledProgram
let conclave: TestConclave
let env: Record<string, string>

beforeAll(async () => {
  program = await InstalledProgram.built()
  conclave = await bootConclave()
  env = programEnvironment(conclave)
}, 180_000)
afterAll(async () => {
  await conclave.close()
  await program.remove()
})

describe('a command that is not given as it must be ends with 2, and says how', () => {
  it.each([
    ['an unknown command', ['rotate'], "unknown command 'rotate'"],
    ['one that is almost right', ['keys', 'rotat', 'x'], '(Did you mean rotate?)'],
    ['an unknown option', ['keys', 'census', '--jsn'], '(Did you mean --json?)'],
    ['an option that another command has', ['start', '--json'], "unknown option '--json'"],
    ['what is no id', ['keys', 'rotate', 'lunch'], 'This is not the id of a conversation.'],
    ['what is no id to export', ['export', 'lunch', '--for', 'x.pem'], 'This is not the id of a conversation.'],
    ['a version that cannot be', ['keys', 'destroy', randomUUID(), '0'], 'Versions are numbered 1, 2, 3'],
    ['a missing version', ['keys', 'compromise', randomUUID()], "missing required argument 'version'"],
    ['too much', ['keys', 'census', 'all'], 'too many arguments'],
    ['a part that there is not', ['start', 'web'], 'Allowed choices are api, worker'],
    ['a shell that there is not', ['completion', 'csh'], 'Allowed choices are bash, zsh'],
    ['what is no duration', ['keys', 'destroy', randomUUID(), '1', '--after', 'soon'], 'Give an ISO 8601 duration'],
    ['a filter beside an id', ['keys', 'list', randomUUID(), '--overdue'], 'look through all conversations'],
    ['a name that nobody has', ['keys', 'rotate', randomUUID(), '--as', 'a\nb'], '--as takes a name']
  ])('%s', async (_, args, words) => {
    const { code, stdout, stderr } = await program.command(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(words)
    expectNoTrace(stderr)
  })

  it.each([
    ['an unknown option', ['keys', 'census', '--jsn', '--json'], "unknown option '--jsn'\n(Did you mean --json?)"],
    [
      'what is no id',
      ['keys', 'list', 'lunch', '--json'],
      expect.stringMatching(/This is not the id of a conversation/)
    ],
    ['an option that a group of commands has not', ['keys', '--json'], "unknown option '--json'"],
    ['no file', ['import', '--json'], 'Name a file or, with --sql, read tables.']
  ])('%s, as a JSON line, where JSON was asked for', async (_, args, error) => {
    const { code, stdout, stderr } = await program.command(args, env)
    expect([code, stdout]).toEqual([2, ''])
    expect(JSON.parse(stderr)).toEqual({ error })
  })

  it.each([[[]], [['keys']]])('conclave %s alone, with its help', async (args: string[]) => {
    const { code, stderr } = await program.command(args)
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^Usage: conclave.*Commands:/s)])
  })
})

describe('a command that cannot be done ends with 1, and says what to do', () => {
  it('where the environment is wrong, with every problem of it', async () => {
    const { code, stderr } = await program.command(['keys', 'census'], { ...env, KEY_BITS: '1024', PORT: 'x' })
    expect(code).toBe(1)
    for (const name of ['KEY_BITS', 'PORT']) expect(stderr).toContain(`- ${name} `)
    expectNoTrace(stderr)
  })

  it.each([[['keys', 'census']], [['keys', 'verify-audit']], [['keys', 'rotate-due']], [['migrate']]])(
    'conclave %s where the database cannot be reached',
    async (args) => {
      const { code, stdout, stderr } = await program.command(args, {
        ...env,
        DATABASE_URL: 'postgres://somebody:hush@127.0.0.1:1/none'
      })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(
        /^The database postgres:\/\/127\.0\.0\.1:1\/none cannot be reached \(ECONNREFUSED\)\. Check /
      )
      expect(stderr).not.toContain('hush')
      expectNoTrace(stderr)
    }
  )

  it('where no server has started in this folder yet', async () => {
    const { code, stderr } = await program.command(['keys', 'census'], { DATA_DIR: 'elsewhere' })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^No server has started on .*elsewhere yet\. Run /)])
  })

  it.each(['list', 'rotate'])('keys %s for a conversation that there is not', async (name) => {
    const { code, stderr } = await program.command(['keys', name, randomUUID()], env)
    expect([code, stderr]).toEqual([1, 'There is no such conversation, or you have no access to it.\n'])
  })

  it('as a JSON line, where JSON was asked for', async () => {
    const { code, stdout, stderr } = await program.command(['keys', 'list', randomUUID(), '--json'], env)
    expect([code, stdout]).toEqual([1, ''])
    expect(JSON.parse(stderr)).toEqual({ error: 'There is no such conversation, or you have no access to it.' })
  })
})

describe('a version of a key', () => {
  let id: string
  const states = async () => (await listed(id)).map(({ state }) => state)

  beforeAll(async () => {
    const alice = await conclave.as('alice')
    id = await createConversation(alice, [])
    await send(alice, id, 'still needed')
    await program.command(['keys', 'rotate', id], env)
  })

  it.each([
    ['destroy', 'destroys version 1', 'Messages that need it: 1.'],
    ['compromise', 'marks version 1', 'Messages that need it: 1.']
  ])(
    'stays as it is for keys %s without --yes where nobody can be asked, and it says what would be lost',
    async (name, ...words) => {
      const { code, stdout, stderr } = await program.command(['keys', name, id, '1'], env, 'destroy\ncompromised\n')
      expect([code, stdout]).toEqual([2, ''])
      for (const each of [...words, 'Give --yes']) expect(stderr).toContain(each)
      expect(await states()).toEqual(['DEACTIVATED', 'ACTIVE'])
    }
  )

  it('is not destroyed while it is active, and the audit trail has who tried', async () => {
    const args = ['keys', 'destroy', id, '2', '--yes', '--as', 'mallory']
    const { code, stderr } = await program.command(args, env)
    expect([code, stderr]).toEqual([1, 'The active key version cannot be destroyed. Rotate the key first.\n'])
    expect(await lastEvent()).toEqual({
      actor: 'operator:mallory',
      action: 'operation.refused',
      detail: 'operation=scheduleKeyDestruction code=CONFLICT'
    })
  })

  it('is not destroyed where there is none of this number', async () => {
    const { code, stderr } = await program.command(['keys', 'destroy', id, '3', '--yes'], env)
    expect([code, stderr]).toEqual([1, 'The conversation has the versions 1 to 2 only.\n'])
  })
})

describe('an audit trail that somebody has changed', () => {
  it('ends verify-audit with 3, and it says where', async () => {
    const whole = await program.command(['keys', 'verify-audit'], env)
    expect([whole.code, whole.stdout]).toEqual([
      0,
      expect.stringMatching(/^The audit trail is whole: \d+ events in 16/)
    ])
    const [event] = await conclave.database.query<{ sequence: string }>(
      `select sequence from key_events where action = 'operation.refused' limit 1`
    )
    await conclave.database.query('alter table key_events disable trigger all')
    await conclave.database.query(`update key_events set actor = 'nobody' where sequence = $1`, [event?.sequence])
    const broken = await program.command(['keys', 'verify-audit'], env)
    expect([broken.code, broken.stdout]).toEqual([
      3,
      expect.stringContaining(`The audit trail is broken from event ${event?.sequence} on`)
    ])
    const inJson = await program.command(['keys', 'verify-audit', '--json'], env)
    expect(inJson.code).toBe(3)
    expect(JSON.parse(inJson.stdout)).toMatchObject({ valid: false, firstInvalidSequence: Number(event?.sequence) })
  })
})

async function listed(id: string): Promise<{ state: string }[]> {
  const { stdout }: Ended = await program.command(['keys', 'list', id, '--json'], env)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

async function lastEvent() {
  const [event] = await conclave.database.query(
    'select actor, action, detail from key_events order by at desc, sequence desc limit 1'
  )
  return event
}

function expectNoTrace(words: string): void {
  expect(words).not.toMatch(/^ +at /m)
  expect(words).not.toContain('Error:')
}
