import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MarkKeyCompromisedDocument } from '../../documents/generated.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { localMasterKeys } from '../support/master-key-config.js'
import { type Ended, InstalledProgram } from '../support/program.js'
import { hasTerminal, onTerminal } from '../support/terminal.js'

/** What an operator does with keys on the command line, beside a server that runs on the same database. */

let program: InstalledProgram
let conclave: TestConclave
let alice: GraphQLClient
/** With the login of the worker's role, which is all that it needs. */
let env: Record<string, string>
let id: string

beforeAll(async () => {
  program = await InstalledProgram.built()
  conclave = await bootConclave({}, localMasterKeys('a'))
  alice = await conclave.as('alice')
  const { DATABASE_URL: _, ...rest } = programEnvironment(conclave)
  env = {
    ...rest,
    ...(localMasterKeys('a') as Record<string, string>),
    WORKER_DATABASE_URL: conclave.database.urlOf('conclave_worker')
  }
  id = await createConversation(alice, ['bob'], { title: 'Lunch' })
  await send(alice, id, 'one')
}, 180_000)
afterAll(async () => {
  await conclave.close()
  await program.remove()
})

describe('conclave keys', () => {
  it('rotate makes the next version, which the running server sends under at once', async () => {
    const { code, stdout } = await conclaveKeys('rotate', id, '--as', 'kim')
    expect([code, stdout]).toEqual([0, 'Version 2 is active, under local:a.\n'])
    expect(await send(alice, id, 'two')).toMatchObject({ keyVersion: 2 })
    expect(await eventsBy('operator:kim')).toEqual(['key.deactivated', 'key.activated'])
  })

  it('list shows versions, states and times, and how many messages need each', async () => {
    const { code, stdout } = await conclaveKeys('list', id)
    const lines = stdout.trim().split('\n')
    expect([code, lines.length]).toEqual([0, 3])
    expect(lines[0]).toMatch(/^CONVERSATION +VERSION +STATE +MESSAGES +REASON +ACTIVATED +ROTATES +DEACTIVATED /)
    expect(lines[1]).toMatch(new RegExp(`^${id} +1 +DEACTIVATED +1 +CREATED +\\S+Z +- +\\S+Z +-`))
    expect(lines[2]).toMatch(new RegExp(`^${id} +2 +ACTIVE +1 +REQUESTED +\\S+Z +\\S+Z +- +- +- +local:a$`))
    const records = jsonLines(await conclaveKeys('list', id, '--json'))
    expect(records).toMatchObject([
      { conversationId: id, version: 1, state: 'DEACTIVATED', messages: 1, modulusBits: 2048, masterKey: 'local:a' },
      { conversationId: id, version: 2, state: 'ACTIVE', messages: 1, deactivatedAt: null }
    ])
    expect(JSON.stringify(records)).not.toMatch(/privateKey|publicKey/i)
  })

  it('list shows those of all conversations that match, page by page', async () => {
    const others = await Promise.all(Array.from({ length: 3 }, () => createConversation(alice, [])))
    const active = jsonLines(await conclaveKeys('list', '--state', 'ACTIVE', '--master-key', 'local:a', '--json'))
    expect(active.map(({ conversationId }) => conversationId)).toEqual([id, ...others].sort())
    expect(jsonLines(await conclaveKeys('list', '--overdue', '--json'))).toEqual([])
  })

  it('rotate-due rotates what is due and used, and says how far it is', async () => {
    await conclave.database.query(`update conversations set key_rotates_at = now() - interval '1 day' where id = $1`, [
      id
    ])
    const { code, stdout } = await conclaveKeys('rotate-due')
    expect([code, stdout]).toEqual([0, 'SUCCEEDED: 1 keys rotated, 0 could not be.\n'])
    expect(await send(alice, id, 'three')).toMatchObject({ keyVersion: 3 })
    const steps = jsonLines(await conclaveKeys('rotate-due', '--json'))
    expect(steps.at(-1)).toMatchObject({ kind: 'ROTATE_DUE', state: 'SUCCEEDED', total: 0, done: 0, failed: 0 })
  })

  it('destroy --yes puts a version on the way, and --cancel takes it back', async () => {
    const { code, stdout, stderr } = await conclaveKeys('destroy', id, '1', '--yes', '--after', 'P30D')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^It is destroyed at \S+Z\. Until then --cancel takes that back\.\n$/)
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual([null, 'two', 'three'])
    const [back] = jsonLines(await conclaveKeys('destroy', id, '1', '--cancel', '--json'))
    expect(back).toMatchObject({ version: 1, state: 'DEACTIVATED', messages: 1, destroysAt: null })
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual(['one', 'two', 'three'])
  })

  it('compromise goes on, without a question, with what was begun and not finished', async () => {
    const begun = await createConversation(alice, [], { title: 'Begun' })
    await send(alice, begun, 'kept')
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const target = { conversationId: begun, version: 1 }
    await admin.run(MarkKeyCompromisedDocument, target)
    const [operation] = await conclave.database.query<{ id: string }>(
      'select id from key_operations where conversation_id = $1',
      [begun]
    )
    const steps = jsonLines(await conclaveKeys('compromise', begun, '1', '--json'))
    expect(new Set(steps.map((step) => step.operation))).toEqual(new Set([operation?.id]))
    expect(steps.at(-1)).toMatchObject({ state: 'SUCCEEDED', done: 1 })
    expect((await readBack(alice, begun)).map(({ body, keyVersion }) => [body, keyVersion])).toEqual([['kept', 2]])
    const again = await conclaveKeys('compromise', begun, '1', '--yes')
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is destroyed')])
  })

  it('compromise --yes encrypts anew what the version protected, and destroys it', async () => {
    const steps = jsonLines(await conclaveKeys('compromise', id, '2', '--yes', '--as', 'lee', '--json'))
    expect(steps[0]).toMatchObject({ kind: 'REENCRYPT', state: 'QUEUED', total: 1, done: 0 })
    expect(steps.at(-1)).toMatchObject({ kind: 'REENCRYPT', state: 'SUCCEEDED', total: 1, done: 1, failed: 0 })
    expect((await readBack(alice, id)).map(({ body, keyVersion }) => [body, keyVersion])).toEqual([
      ['one', 1],
      ['two', 3],
      ['three', 3]
    ])
    const states = jsonLines(await conclaveKeys('list', id, '--json')).map(({ state }) => state)
    expect(states).toEqual(['DEACTIVATED', 'DESTROYED', 'ACTIVE'])
    expect(await eventsBy('operator:lee')).toContain('key.compromised')
  })

  it('verify-audit finds all of that whole', async () => {
    const [found] = jsonLines(await conclaveKeys('verify-audit', '--json'))
    expect(found).toMatchObject({ valid: true, firstInvalidSequence: null })
  })
})

describe('another master key', () => {
  const moved = () => ({ ...env, ...(localMasterKeys('b', ['a']) as Record<string, string>) })

  it('is seen by census, taken on by rewrap after a dry run, and the one before can go', {
    timeout: 120_000
  }, async () => {
    const census = async () => jsonLines(await program.command(['keys', 'census', '--json'], moved()))
    expect(await census()).toMatchObject([
      { uri: 'local:b', current: true, reachable: true, wrappedKeyCount: 0 },
      { uri: 'local:a', current: false, wrappedKeyCount: 6, safeToRetire: false }
    ])
    const words = await program.command(['keys', 'census'], moved())
    expect(words.stdout).toMatch(/^MASTER KEY +KEYS\nlocal:b +0 +current\nlocal:a +6\n$/)
    const dry = await program.command(['keys', 'rewrap', '--dry-run'], moved())
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('6 keys would be moved, 0 set aside.')])
    const interrupted = program.startCommand(['keys', 'rewrap', '--json'], { ...moved(), REWRAP_PER_SECOND: '1' })
    await interrupted.printed('"state":"RUNNING"')
    expect((await interrupted.interrupt()).code).toBe(130)
    const rewrap = await program.command(['keys', 'rewrap', '--as', 'kim'], moved())
    expect([rewrap.code, rewrap.stdout]).toEqual([0, expect.stringContaining('SUCCEEDED: 6 keys moved, 0 set aside.')])
    expect(rewrap.stdout).toContain('local:a holds no key any more')
    expect(await census()).toMatchObject([
      { uri: 'local:b', wrappedKeyCount: 6 },
      { uri: 'local:a', wrappedKeyCount: 0, safeToRetire: true }
    ])
    const again = jsonLines(await program.command(['keys', 'rewrap', '--json'], moved()))
    expect(again.at(-1)).toMatchObject({ kind: 'REWRAP', state: 'SUCCEEDED', total: 0 })
    env = moved()
  })
})

describe.runIf(hasTerminal)('on a terminal', () => {
  it('destroy does nothing for who types something else', async () => {
    const { code, output } = await ask(`destroy ${id} 1`, 'Type destroy to go on:', 'yes')
    expect([code, output]).toEqual([1, expect.stringContaining('Nothing was done.')])
    expect(output).toContain('Messages that need it: 1. They cannot be read any more from now on')
  })

  it.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04']
  ])('destroy does nothing for who answers with %s, and ends with 130', async (_, key) => {
    const { code, output } = await ask(`destroy ${id} 1`, 'Type destroy to go on:', key)
    expect([code, output]).toEqual([130, expect.stringMatching(/\nNothing was done\.\r?\n$/)])
  })

  it('destroy does it for who has read what will be lost, and agrees', async () => {
    const { code, output } = await ask(`destroy ${id} 1 --after P2D`, 'Type destroy to go on:', 'destroy')
    expect([code, output]).toEqual([0, expect.stringMatching(/It is destroyed at \S+Z/)])
  })

  it('compromise asks as well, and shows a progress bar', async () => {
    const { code, output } = await ask(`compromise ${id} 3`, 'Type compromised to go on:', 'compromised')
    expect(code, output).toBe(0)
    expect(output).toContain('Messages that need it: 2. They are encrypted anew')
    expect(output).toMatch(/Encrypting anew [█░]+ 100% 2\/2, 0 set aside, finished/)
  })

  async function ask(command: string, question: string, answer: string) {
    return await onTerminal(`bin/conclave keys ${command}`, { cwd: program.folder, env }, { question, answer })
  }
})

function conclaveKeys(...args: string[]): Promise<Ended> {
  return program.command(['keys', ...args], env)
}

/** Of a command that has succeeded: each line on its standard output is JSON, and there is nothing else. */
function jsonLines({ code, stdout, stderr }: Ended): Record<string, unknown>[] {
  expect([code, stderr]).toEqual([0, ''])
  return stdout === ''
    ? []
    : stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
}

async function eventsBy(actor: string): Promise<string[]> {
  const text = 'select action from key_events where actor = $1 order by at, sequence'
  return (await conclave.database.query<{ action: string }>(text, [actor])).map(({ action }) => action)
}
