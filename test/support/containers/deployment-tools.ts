import { spawnSync } from 'node:child_process'
import { hadolintCommand, kubernetesValidateCommand } from '../providers/provider-tools.js'
import { PROJECT } from './project-files.js'

/** @returns what hadolint finds in a Dockerfile, of any severity; nothing that stands in the file silences it */
export function lint(dockerfile: string): string {
  return run(
    hadolintCommand,
    ['--no-color', '--disable-ignore-pragma', '--failure-threshold', 'style', '-'],
    dockerfile
  )
}

export interface Validation {
  /** As `deployment/conclave-api`. */
  valid: string[]
  /** Everything else that was said: also of a kind that Kubernetes has not, which is only a warning there. */
  problems: string[]
}

/** Holds manifests to the schema of a version of Kubernetes, by which nothing may have a name that it does not know. */
export function validate(manifests: string, version: string): Validation {
  const output = run(kubernetesValidateCommand, ['--strict', '--kubernetes-version', version, '-'], manifests)
  const validation: Validation = { valid: [], problems: [] }
  for (const line of output.split('\n').filter((line) => line !== '')) {
    const [, name, against] = /^INFO - passed for resource (\S+) against version (\S+)$/.exec(line) ?? []
    // Of a version that it has no schema of, it takes the newest one before.
    if (name && against === version) validation.valid.push(name)
    else validation.problems.push(line)
  }
  return validation
}

/** Without the environment, and so without the settings of whoever runs it. */
function run(command: string | null, args: string[], input: string): string {
  if (!command) throw new Error('scripts/provider-tools.sh has not installed it')
  const env = { PATH: process.env.PATH ?? '' }
  const { stdout, stderr, error } = spawnSync(command, args, { cwd: PROJECT, env, input, encoding: 'utf8' })
  if (error) throw error
  return stdout + stderr
}
