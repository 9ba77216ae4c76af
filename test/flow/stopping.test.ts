import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, InstalledProgram, type RunningProgram } from '../support/program.js'
import { createTestDatabase } from '../support/test-database.js'

/** Stopping a program of which a part is not there, as a child process. */

let silent: Server
let program: InstalledProgram
let running: RunningProgram
const accepted: Socket[] = []

beforeAll(async () => {
  silent = createServer((socket) => accepted.push(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  program = await InstalledProgram.built()
  running = program.start({ PORT: '0', DATABASE_URL: `postgres://somebody:hush@127.0.0.1:${port}/none` })
  await once(silent, 'connection')
}, 180_000)
afterAll(async () => {
  await program.remove()
  for (const socket of accepted) socket.destroy()
  silent.close()
})

describe('a program whose database has accepted its connection and says nothing', () => {
  it('ends when it is told to, and does not wait for that first', { timeout: 5_000 }, async () => {
    const { code, output } = await running.interrupt()
    expect(code).toBe(0)
    expect(output).not.toContain('hush')
  })
})

describe('a program whose Redis is away', () => {
  it('serves, and ends at once when it is told to', { timeout: 60_000 }, async () => {
    const database = await createTestDatabase()
    const redisUrl = `redis://127.0.0.1:${await freePort()}`
    const withoutRedis = program.start({ PORT: '0', DATABASE_URL: database.url, REDIS_URL: redisUrl })
    const url = await withoutRedis.ready()
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const begun = performance.now()
    const { code } = await withoutRedis.interrupt()
    expect(performance.now() - begun).toBeLessThan(5_000)
    expect(code).toBe(0)
    await database.drop()
  })
})
