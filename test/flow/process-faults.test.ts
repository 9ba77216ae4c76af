import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'

const SECRET = 'what-nobody-may-read'

let conclave: TestConclave
let program: InstalledProgram

beforeAll(async () => {
  conclave = await bootConclave()
  program = await InstalledProgram.built()
}, 120_000)
afterAll(async () => {
  await program.remove()
  await conclave.close()
})

/** With a fault of this kind as soon as it is sent SIGUSR2. */
function startWith(fault: string): RunningProgram {
  const hook = join(program.folder, 'fault.mjs')
  writeFileSync(hook, `process.on('SIGUSR2', () => { ${fault} })`)
  return program.startApi({ ...programEnvironment(conclave), PORT: '0', NODE_OPTIONS: `--import ${hook}` })
}

describe('a server in which something fails that nobody has thought of', () => {
  it('ends in an orderly way with 1 after an error that was not caught, and does not log what it was about', async () => {
    const running = startWith(`throw new Error('${SECRET}')`)
    await running.ready()
    process.kill(running.pid, 'SIGUSR2')
    const { code, output } = await running.finished()
    expect(code).toBe(1)
    expect(output).toContain('an error was not caught: the process ends')
    expect(output).not.toContain(SECRET)
  })

  it('goes on after a promise that nobody waited for has failed, and says where', async () => {
    const running = startWith(`Promise.reject(new Error('${SECRET}'))`)
    const url = await running.ready()
    process.kill(running.pid, 'SIGUSR2')
    await running.printed('a promise failed that nobody waited for')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    running.terminate()
    const { code, output } = await running.finished()
    expect(code).toBe(0)
    expect(output).not.toContain(SECRET)
  })
})
