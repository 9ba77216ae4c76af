import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InstalledProgram, type RunningProgram } from '../support/program.js'

/** Stopping a program that has not come to serve yet, as a child process. */

let silent: Server
let program: InstalledProgram
let running: RunningProgram
const accepted: Socket[] = []

beforeAll(async () => {
  silent = createServer((socket) => accepted.push(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  program = new InstalledProgram()
  running = program.start({ PORT: '0', DATABASE_URL: `postgres://somebody:hush@127.0.0.1:${port}/none` })
  await once(silent, 'connection')
}, 180_000)
afterAll(async () => {
  await program.remove()
  for (const socket of accepted) socket.destroy()
  silent.close()
})

describe('a program whose database has accepted its connection and says nothing', () => {
  it('ends within twelve seconds of Ctrl-C', { timeout: 12_000 }, async () => {
    const { code, output } = await running.interrupt()
    expect(code).toBe(1)
    expect(output).not.toContain('hush')
  })
})
