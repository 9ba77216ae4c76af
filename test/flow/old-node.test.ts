import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InstalledProgram } from '../support/program.js'

/** What is started by hand, by whatever Node is found. */

const ENTRIES = ['main', 'conclave']
const old = oldNode()

describe('an entry point', () => {
  it.each(ENTRIES)(
    '%s looks at the version before anything else is loaded, which it may not be able to do',
    (entry) => {
      const imports = (name: string) => readFileSync(`src/${name}.ts`, 'utf8').match(/^import .*$/gm) ?? []
      expect(imports(entry)[0]).toBe("import './require-node.js'")
      expect(imports('require-node')).toEqual([])
    }
  )
})

describe.runIf(old)('under a Node that is too old', () => {
  let program: InstalledProgram
  beforeAll(async () => {
    program = await InstalledProgram.built()
  }, 120_000)
  afterAll(() => program.remove())

  it.each(ENTRIES)('%s says in one sentence which one is needed, and ends with 1', (entry) => {
    const path = join(program.folder, 'dist', 'src', `${entry}.js`)
    const { status, stdout, stderr } = spawnSync(old ?? '', [path, 'alice'], { encoding: 'utf8', env: {} })
    expect([status, stdout, stderr.trim().split('\n')]).toEqual([
      1,
      '',
      [expect.stringMatching(/^Conclave cannot start: this is Node \d+\.\S+; Node 24 or later is needed/)]
    ])
  })
})

/** The path of a Node on this machine that is older than the project's own. */
function oldNode(): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'))
  return paths.filter(existsSync).find((path) => {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' })
    return Number(/^v(\d+)/.exec(version)?.[1]) < 24
  })
}
