import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createConversation, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { freePort, InstalledProgram, type RunningProgram } from '../support/program.js'

/** The command line with nothing configured: on the embedded database of this folder. The tests follow each other. */

let program: InstalledProgram
let running: RunningProgram
let env: Record<string, string>
let id: string

beforeAll(async () => {
  program = await InstalledProgram.built()
  env = { PORT: String(await freePort()), KEY_BITS: '2048', KEY_POOL_TARGET: '0' }
}, 120_000)
afterAll(() => program.remove())

describe('beside a server that runs', () => {
  it('start serves, and says how to get a token', async () => {
    running = program.startCommand(['start'], env)
    const url = await running.ready()
    const { stdout } = await program.command(['token', 'alice'], env)
    const alice = new GraphQLClient(url, stdout.trim())
    id = await createConversation(alice, [])
    await send(alice, id, 'here')
    await alice.close()
  })

  it('keys and doctor use its database, and leave it running', async () => {
    expect(await program.command(['keys', 'rotate', id], env)).toMatchObject({ code: 0, stderr: '' })
    expect(await states()).toEqual(['DEACTIVATED', 'ACTIVE'])
    const { code, stdout } = await program.command(['doctor'], env)
    expect([code, stdout]).toEqual([0, expect.stringContaining('The worker may act as conclave_worker.')])
    expect(existsSync(join(program.databaseFolder, 'postmaster.pid'))).toBe(true)
  })

  it('is ended by Ctrl-C, with 0', async () => {
    expect((await running.interrupt()).code).toBe(0)
  })
})

describe('alone', () => {
  it('keys and doctor start the database, and stop it again', { timeout: 90_000 }, async () => {
    expect(await states()).toEqual(['DEACTIVATED', 'ACTIVE'])
    expect(await program.command(['keys', 'verify-audit'], env)).toMatchObject({ code: 0, stderr: '' })
    expect((await program.command(['doctor'], env)).code).toBe(0)
    expect(existsSync(join(program.databaseFolder, 'postmaster.pid'))).toBe(false)
  })
})

async function states(): Promise<string[]> {
  const { stdout } = await program.command(['keys', 'list', id, '--json'], env)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).state)
}
