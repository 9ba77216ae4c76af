import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const FOLDER = process.env.WYCHEPROOF_DIR ?? join(PROJECT, '..', 'shared', 'wycheproof')

/** Project Wycheproof's published vectors: data of another project, and not a part of this one. */
export const hasWycheproof = existsSync(FOLDER)

/** What the end of a test run says when they were left out. */
export const WYCHEPROOF_MISSING =
  'Not run: the published Wycheproof vectors. Put them into ../shared/wycheproof, or set WYCHEPROOF_DIR, to run them.'

/** Hexadecimal, as all bytes in these files. */
export type Hex = string

export interface WycheproofCase {
  tcId: number
  comment: string
  result: 'valid' | 'invalid'
}

export type WycheproofGroup<Parameters, Case> = Parameters & { tests: (Case & WycheproofCase)[] }

interface WycheproofFile {
  numberOfTests: number
  testGroups: { tests: WycheproofCase[] }[]
}

/**
 * @returns the groups of cases in one of the published files
 * @throws Error for a file that is missing, holds no case, or another number of them than it says
 */
export function readWycheproof<Parameters, Case>(name: string): WycheproofGroup<Parameters, Case>[] {
  const { numberOfTests, testGroups } = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as WycheproofFile
  const cases = testGroups.flatMap(({ tests }) => tests)
  if (cases.length === 0 || cases.length !== numberOfTests)
    throw new Error(`${name} holds ${cases.length} cases and says ${numberOfTests}`)
  const strange = cases.find(({ result }) => result !== 'valid' && result !== 'invalid')
  if (strange) throw new Error(`${name}: case ${strange.tcId} is ${strange.result}, neither valid nor invalid`)
  return testGroups as WycheproofGroup<Parameters, Case>[]
}

export function describeCase({ tcId, comment, result }: WycheproofCase): string {
  return `case ${tcId}, ${result}${comment ? `: ${comment}` : ''}`
}

/** How many cases of which kind a file had. */
export class CaseCounts {
  readonly #counts = new Map<string, number>()

  count(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  get kinds(): string[] {
    return [...this.#counts.keys()].sort()
  }

  print(name: string): void {
    const counts = [...this.#counts].map(([kind, count]) => `${count} ${kind}`)
    console.log(`Wycheproof ${name}: ${this.total} cases: ${counts.join('; ')}`)
  }
}
