import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InstalledProgram } from '../support/program.js'

/** bin/conclave: what a shell, npx and npm run. */

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const SECRET = 'only for tests, and long enough for HS256'
/** Without the folder that npm puts before all others: whatever Node is there is the machine's own. */
const PATH = '/usr/local/bin:/usr/bin:/bin'

let program: InstalledProgram

beforeAll(async () => {
  program = await InstalledProgram.built()
}, 120_000)
afterAll(() => program.remove())

describe('bin/conclave', () => {
  it('runs on the Node that npm has installed, whatever the machine has', async () => {
    const { code, stdout } = await program.command(['token', 'alice'], { PATH, AUTH_JWT_SECRET: SECRET })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)])
  })

  it('is found through a link from anywhere else', () => {
    mkdirSync(join(program.folder, 'elsewhere'))
    const link = join(program.folder, 'elsewhere', 'conclave')
    symlinkSync(join(program.folder, 'bin', 'conclave'), link)
    const { status, stdout } = spawnSync(link, ['--version'], { cwd: '/', encoding: 'utf8', env: { PATH } })
    expect([status, stdout]).toEqual([0, `${version}\n`])
  })

  it.each(['npx', 'npm'])('is what %s runs in the project’s folder', { timeout: 120_000 }, (name) => {
    const [command = '', ...args] = name === 'npx' ? ['npx', 'conclave'] : ['npm', 'run', '-s', 'conclave', '--']
    const env = { PATH: process.env.PATH, HOME: program.folder, npm_config_offline: 'true' }
    const options = { cwd: program.folder, encoding: 'utf8', env } as const
    const { status, stdout } = spawnSync(command, [...args, '--version'], options)
    expect([status, stdout]).toEqual([0, `${version}\n`])
  })

  it('needs no code made from text, but for what the ORM makes', async () => {
    const flags = { NODE_OPTIONS: '--disallow-code-generation-from-strings', AUTH_JWT_SECRET: SECRET }
    for (const args of [['--help'], ['keys', 'list', '--help'], ['completion', 'bash'], ['token', 'alice']]) {
      expect(await program.command(args, flags)).toMatchObject({ code: 0, stderr: '' })
    }
  })

  it('ends quietly, with 141, where nobody reads what it prints any more', async () => {
    const child = spawn(join(program.folder, 'bin', 'conclave'), ['completion', 'bash'], { env: { PATH } })
    child.stdout.destroy()
    let said = ''
    child.stderr.on('data', (chunk) => (said += chunk))
    const [code] = await once(child, 'close')
    expect([code, said]).toEqual([141, ''])
  })

  it('says what to do where nothing was built', async () => {
    renameSync(join(program.folder, 'dist'), join(program.folder, 'not-dist'))
    const { code, stderr } = await program.command(['--version'])
    renameSync(join(program.folder, 'not-dist'), join(program.folder, 'dist'))
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Conclave is not built yet\. Run npm run build in /)])
  })
})
