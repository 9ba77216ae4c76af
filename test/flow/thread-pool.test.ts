import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RSA_GENERATIONS, RSA_UNWRAPS } from '../../src/thread-pool.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { InstalledProgram } from '../support/program.js'

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

// Linux names the threads of every process.
describe.runIf(process.platform === 'linux')('the thread pool of the program', () => {
  it('has room for all RSA that runs at once, and four threads for everything else', async () => {
    expect(await threadsWith({})).toBe(RSA_GENERATIONS + RSA_UNWRAPS + 4)
  })

  it('is as large as UV_THREADPOOL_SIZE says, where it says something', async () => {
    expect(await threadsWith({ UV_THREADPOOL_SIZE: '11' })).toBe(11)
  })
})

async function threadsWith(env: Record<string, string>): Promise<number> {
  const server = program.startApi({ ...programEnvironment(conclave), PORT: '0', ...env })
  await server.ready()
  const folder = `/proc/${server.pid}/task`
  const names = readdirSync(folder).map((id) => readFileSync(`${folder}/${id}/comm`, 'utf8').trim())
  server.terminate()
  await server.finished()
  return names.filter((name) => name === 'libuv-worker').length
}
