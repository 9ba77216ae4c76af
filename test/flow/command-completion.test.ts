import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InstalledProgram } from '../support/program.js'

/** The scripts of `conclave completion`, in the shells that they are for. */

const CASES: [string, string[]][] = [
  [
    'conclave ',
    ['start', 'migrate', 'token', 'keys', 'export', 'open', 'import', 'doctor', 'completion', '--help', '--version']
  ],
  ['conclave mig', ['migrate']],
  ['conclave keys rot', ['rotate', 'rotate-due']],
  ['conclave keys rewrap --d', ['--dry-run']],
  ['conclave start ', ['api', 'worker', '--help']],
  ['conclave completion z', ['zsh']],
  ['conclave token alice --scope ', ['keys:read', 'keys:admin']],
  ['conclave keys list --state C', ['COMPROMISED']],
  ['conclave keys list --master-key ', []],
  ['conclave import --signed', ['--signed-by']]
]
const FILES = [
  'conclave import ',
  'conclave open ',
  'conclave export --for ',
  'conclave open x --key ',
  'conclave open --out '
]
const NO_FILES: string[] = ['conclave export ', 'conclave import --name ']

let program: InstalledProgram

beforeAll(async () => {
  program = await InstalledProgram.built()
}, 120_000)
afterAll(() => program.remove())

describe('completion for bash', () => {
  it.each(CASES)('completes "%s"', async (line, words) => {
    expect(await inBash(line)).toEqual([...words].sort())
  })

  it('completes behind a colon, where bash begins a word of its own', async () => {
    expect(await inBash('conclave token alice --scope keys:a')).toEqual(['admin'])
  })

  it.each(FILES)('has no words for "%s": bash completes files then', async (line) => {
    expect(await inBash(line)).toEqual([])
  })

  it('has nothing in it that bash would run when it is read', async () => {
    const { stdout } = await program.command(['completion', 'bash'])
    const { status, stdout: printed } = spawnSync(
      'bash',
      ['--norc', '-c', 'eval "$1"; complete -p conclave', '-', stdout],
      {
        encoding: 'utf8'
      }
    )
    expect([status, printed]).toEqual([0, 'complete -o default -F _conclave conclave\n'])
  })
})

describe.runIf(isInstalled('zsh'))('completion for zsh', () => {
  it.each(CASES)('completes "%s"', async (line, words) => {
    expect(await inZsh(line)).toEqual([...words].sort())
  })

  it.each(FILES)('completes files for "%s"', async (line) => {
    expect(await inZsh(line)).toContain('a-file')
  })

  it.each(NO_FILES)('completes no files for "%s"', async (line) => {
    expect(await inZsh(line)).not.toContain('a-file')
  })
})

async function inBash(line: string): Promise<string[]> {
  const { stdout } = await program.command(['completion', 'bash'])
  const ask = `eval "$1"; COMP_LINE=$2 COMP_POINT=\${#2}; _conclave; printf '%s\\n' "\${COMPREPLY[@]}"`
  return sorted(execFileSync('bash', ['--norc', '-c', ask, '-', stdout, line], { encoding: 'utf8' }))
}

/** What zsh would offer, with its own completion system around it: a `compadd` that writes down what it is given. */
async function inZsh(line: string): Promise<string[]> {
  const { stdout } = await program.command(['completion', 'zsh'])
  const path = join(program.folder, 'completion.zsh')
  writeFileSync(path, stdout)
  const ask = `
    compdef() { :; }
    _files() { print a-file; }
    _describe() {
      local each gap=$'\\x01'
      for each in "\${(@P)2}"; do each="\${\${each//\\\\:/$gap}%%:*}"; print -r -- "\${each//$gap/:}"; done
    }
    source $1
    words=("\${(@s: :)2}"); CURRENT=\${#words}
    _conclave`
  const printed = execFileSync('zsh', ['-f', '-c', ask, '-', path, line], { encoding: 'utf8' })
  // What does not begin with what was typed zsh leaves out itself.
  const typed = line.slice(line.lastIndexOf(' ') + 1)
  return sorted(printed).filter((word) => word.startsWith(typed))
}

function sorted(printed: string): string[] {
  return printed.split('\n').filter(Boolean).sort()
}

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0
}
