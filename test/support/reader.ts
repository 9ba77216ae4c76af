import { execFileSync, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const READER = join(PROJECT, 'docs', 'reader')

/** The system's, with the packages of the distribution; and the one of scripts/provider-tools.sh, with those of PyPI. */
const PYTHONS = ['/usr/bin/python3', join(PROJECT, '.provider-tools', 'bin', 'python3')]

/** Those that have what docs/reader needs. */
export const readerPythons = PYTHONS.filter(hasPackages)
export const hasReader = readerPythons.length > 0

/** For `describe.skipIf(!hasReader).each`: a file without any test would be a failed one. */
export const pythonsOrNone = hasReader ? readerPythons : ['no Python']

/** What the end of a test run says where there is none. */
export const READER_MISSING =
  'Not run: the reader in Python. Install python3-cryptography and python3-psycopg, or run scripts/provider-tools.sh.'

export interface ReaderRun {
  code: number | null
  output: string
  errors: string
}

/** Runs one of its programs to the end. */
export function runReader(
  python: string,
  script: string,
  args: readonly string[],
  env: Record<string, string> = {}
): ReaderRun {
  const { status, stdout, stderr, error } = spawnSync(python, ['-B', join(READER, script), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', ...env },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000
  })
  if (error) throw error
  return { code: status, output: stdout, errors: stderr }
}

/** JSON Lines as values. */
export function linesOf<Line>({ output }: ReaderRun): Line[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

function hasPackages(python: string): boolean {
  try {
    execFileSync(python, ['-c', 'import cryptography, psycopg'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
