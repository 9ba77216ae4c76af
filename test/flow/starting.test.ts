import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createConversation, readBack, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { freePort, InstalledProgram, type RunningProgram } from '../support/program.js'

/** Starting under circumstances that are not ideal, as a child process. */

let program: InstalledProgram
let port: number
const environment = (env: Record<string, string> = {}) => ({
  PORT: String(port),
  KEY_BITS: '2048',
  KEY_POOL_TARGET: '0',
  ...env
})

beforeAll(async () => {
  // Open to every user, where the folder of the other test of npm start is closed to all but its owner.
  program = await InstalledProgram.built(0o755)
  port = await freePort()
})
afterAll(() => program.remove())

describe('a start that cannot succeed says so in a sentence and exits with 1', () => {
  let taken: Server | null = null
  afterEach(() => taken?.close())

  it('naming every problem of the configuration at once', async () => {
    const { code, output } = await program.run(['start'], {
      PORT: '70000',
      KEY_BITS: '1024',
      KEY_ROTATE_AFTER: 'monthly',
      AUTH_JWT_SECRET: 'short',
      MASTER_SECRETS: 'a=not base64',
      MASTER_KEY: 'local:b'
    })
    expect(code).toBe(1)
    for (const name of ['PORT', 'KEY_BITS', 'KEY_ROTATE_AFTER', 'AUTH_JWT_SECRET', 'MASTER_SECRETS']) {
      expect(output).toContain(`- ${name} `)
    }
    expect(output).not.toContain('not base64')
  })

  it('in production without what development generates', async () => {
    const { code, output } = await program.run(['start'], { NODE_ENV: 'production' })
    expect(code).toBe(1)
    for (const name of ['DATABASE_URL', 'MASTER_SECRETS', 'AUTH_JWT_SECRET']) expect(output).toContain(`${name}`)
  })

  it('when its port is in use', async () => {
    taken = createServer().listen(port, '127.0.0.1')
    const { code, output } = await program.run(['start'], environment())
    expect([code, output]).toEqual([1, expect.stringContaining(`Port ${port} on 127.0.0.1 is in use.`)])
  })

  it('when the data folder cannot be written', async () => {
    const { code, output } = await program.run(['start'], environment({ DATA_DIR: 'package.json/data' }))
    expect([code, output]).toEqual([1, expect.stringMatching(/The data folder .*package\.json\/data cannot be used/)])
  })

  it('when the database that is to be migrated cannot be reached', async () => {
    const { code, output } = await program.run(['run', '-s', 'migrate'], {
      DATABASE_URL: 'postgres://somebody:hush@127.0.0.1:1/none'
    })
    expect([code, output]).toEqual([1, expect.stringMatching(/The database .*127\.0\.0\.1:1\/none cannot be reached/)])
    expect(output).not.toContain('hush')
  })

  it('for a token of a server that never started', async () => {
    const { code, output } = await program.run(
      ['run', '-s', 'token', '--', 'alice'],
      environment({ DATA_DIR: 'elsewhere' })
    )
    expect([code, output]).toEqual([1, expect.stringContaining('Run npm start first')])
  })
})

describe('npm run token', () => {
  const SECRET = { AUTH_JWT_SECRET: 'only for tests, and long enough for HS256' }
  const token = (...args: string[]) => program.run(['run', '-s', 'token', '--', 'alice', ...args], SECRET)

  it.each([
    ['--scope', 'bogus', 'There is no scope bogus.'],
    ['--expires', 'soon', 'soon is not a duration'],
    ['--expires', 'PT0S', 'PT0S is not a duration']
  ])('refuses %s %s, and says why', async (option, value, reason) => {
    const { code, output } = await token(option, value)
    expect([code, output]).toEqual([2, expect.stringContaining(reason)])
  })

  it('gives one that is valid for half a day, or for as long as it is told', async () => {
    const lifeSeconds = async (...args: string[]) => {
      const { exp = 0, iat = 0 } = decodeJwt((await token(...args)).output.trim())
      return exp - iat
    }
    expect(await lifeSeconds()).toBe(12 * 60 * 60)
    expect(await lifeSeconds('--expires', 'PT30S')).toBe(30)
  })
})

describe('a server on a data folder', () => {
  let running: RunningProgram
  let conversationId: string

  it('keeps a second one away from it', async () => {
    running = program.start(environment())
    const url = await running.ready()
    const alice = await client(url)
    conversationId = await createConversation(alice, [])
    await send(alice, conversationId, 'acknowledged')
    const second = await program.run(['start'], environment({ PORT: String(await freePort()) }))
    expect([second.code, second.output]).toEqual([1, expect.stringContaining('Another Conclave is running on')])
    expect(await bodies(url)).toEqual(['acknowledged'])
  })

  it('that was killed leaves the next one its database, still running, with all that was acknowledged', async () => {
    await send(await client(await running.ready()), conversationId, 'just before the end')
    const pid = postmasterPid()
    await running.kill()
    expect(isAlive(pid)).toBe(true)
    running = program.start(environment())
    expect(await bodies(await running.ready())).toEqual(['acknowledged', 'just before the end'])
    expect(postmasterPid()).toBe(pid)
  })

  it('that was killed together with its database starts again', async () => {
    const pid = postmasterPid()
    await running.kill()
    process.kill(pid, 'SIGKILL')
    running = program.start(environment())
    expect(await bodies(await running.ready())).toEqual(['acknowledged', 'just before the end'])
  })

  it('starts although the pid in its lock file belongs to some other program by now', async () => {
    await running.interrupt()
    const lines = [process.pid, program.databaseFolder, 0, port, '', '127.0.0.1', '', 'ready']
    writeFileSync(join(program.databaseFolder, 'postmaster.pid'), `${lines.join('\n')}\n`)
    running = program.start(environment())
    expect(await bodies(await running.ready())).toEqual(['acknowledged', 'just before the end'])
    expect((await running.interrupt()).code).toBe(0)
  })

  it('does not begin anew over a database whose master secret is gone', async () => {
    const path = join(program.folder, '.data', 'master-secret')
    const secret = readFileSync(path)
    rmSync(path)
    const { code, output } = await program.run(['start'], environment())
    expect([code, output]).toEqual([1, expect.stringMatching(/master-secret is missing/)])
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, secret, { mode: 0o600 })
  })

  async function bodies(url: string): Promise<(string | null)[]> {
    return (await readBack(await client(url), conversationId)).map(({ body }) => body)
  }
})

async function client(url: string): Promise<GraphQLClient> {
  const { output } = await program.run(['run', '-s', 'token', '--', 'alice'], environment())
  return new GraphQLClient(url, output.trim())
}

function postmasterPid(): number {
  return Number(readFileSync(join(program.databaseFolder, 'postmaster.pid'), 'utf8').split('\n')[0])
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
