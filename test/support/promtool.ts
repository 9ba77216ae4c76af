import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where scripts/promtool.sh puts it. */
const INSTALLED = join(import.meta.dirname, '..', '..', '.provider-tools', 'bin', 'promtool')

/** Prometheus's own tool for rules; null where there is none. */
export const promtoolCommand = find()

export const PROMTOOL_MISSING =
  'Not run: what needs promtool (alert rules). scripts/promtool.sh installs it, into .provider-tools.'

/** @returns its exit code, and everything it said */
export function promtool(...args: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(promtoolCommand ?? 'promtool', args, { encoding: 'utf8' })
  return { code: status, output: stdout + stderr }
}

function find(): string | null {
  if (existsSync(INSTALLED)) return INSTALLED
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return 'promtool'
  } catch {
    return null
  }
}
