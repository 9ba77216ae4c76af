import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Results } from './results.js'
import type { Stage } from './stage.js'

const GIB = 1024 ** 3

/** Where, when and of what the figures are. */
export async function describeRun(stage: Stage): Promise<Omit<Results, 'cases'>> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  return {
    date: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / GIB)
    },
    versions: { conclave: version, node: process.versions.node, postgresql: await stage.serverVersion() }
  }
}

/** Of the working tree, with `+` where it has changes. Null outside of a clone. */
function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const changes = git('status', '--porcelain').trim()
    return git('rev-parse', '--short=12', 'HEAD').trim() + (changes ? '+' : '')
  } catch {
    return null
  }
}
