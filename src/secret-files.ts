import { readFileSync, statSync } from 'node:fs'

/** Variables that hold a secret. Each may be given as a file instead, in a variable with `_FILE` at its end. */
export const SECRETS = [
  'DATABASE_URL',
  'API_DATABASE_URL',
  'WORKER_DATABASE_URL',
  'REDIS_URL',
  'AUTH_JWT_SECRET',
  'METRICS_TOKEN'
] as const

const BY_GROUP = 0o040
const BY_ANYBODY_ELSE = 0o077

/**
 * Puts what stands in files in the place of the variables that name them. What is in the environment can be read for
 * as long as the process lives, by whoever runs as its user, and is handed on to every program that it starts.
 *
 * @param problems takes a sentence for each file that cannot be used
 */
export function withSecretFiles(env: NodeJS.ProcessEnv, problems: string[]): NodeJS.ProcessEnv {
  const found = { ...env }
  for (const name of SECRETS) {
    const path = env[`${name}_FILE`]
    if (path === undefined) continue
    if (env[name] !== undefined) problems.push(`${name} and ${name}_FILE are both set: set one of them.`)
    else found[name] = readSecretFile(`${name}_FILE`, path, problems)?.trim()
    if (found[name] === '') problems.push(`${name}_FILE names an empty file.`)
  }
  return found
}

/** @returns null, with a sentence that never holds what is in the file, when it cannot be used */
export function readSecretFile(variable: string, path: string, problems: string[]): string | null {
  try {
    const file = statSync(path)
    if (file.isFile() && !isClosed(file, process.getuid?.() ?? 0))
      problems.push(`${variable} can be read by others: chmod 600 ${path}.`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    // Its value is not repeated: it may be the secret itself, set in the wrong place.
    problems.push(`${variable} cannot be read (${(error as NodeJS.ErrnoException).code}): give the path of a file.`)
    return null
  }
}

/**
 * Whether a file with a secret is closed to others, by the rule that PostgreSQL has for its private key: what is root's
 * may be read by a group as well. So are the secrets that Kubernetes gives to a process that is not root (`fsGroup`).
 *
 * @param uid of this process
 */
export function isClosed(file: { uid: number; mode: number }, uid: number): boolean {
  const allowed = file.uid === 0 && uid !== 0 ? BY_GROUP : 0
  return (file.mode & BY_ANYBODY_ELSE & ~allowed) === 0
}
