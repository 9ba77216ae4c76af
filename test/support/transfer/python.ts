import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
/** Where scripts/provider-tools.sh has put one, which has the `cryptography` package. */
const INSTALLED = join(HERE, '..', '..', '..', '.provider-tools', 'bin', 'python')

/** A Python that has the `cryptography` package; null where there is none. */
export const python = [INSTALLED, 'python3'].find(hasCryptography) ?? null

function hasCryptography(command: string): boolean {
  if (command.includes('/') && !existsSync(command)) return false
  try {
    execFileSync(command, ['-c', 'import cryptography'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Runs a script beside this file, and reads the JSON that it prints. */
export function runPython<T>(script: string, args: (string | number)[], command = python ?? 'python3'): T {
  const output = execFileSync(command, ['-B', join(HERE, script), ...args.map(String)], {
    maxBuffer: 64 * 1024 * 1024
  })
  return JSON.parse(output.toString('utf8')) as T
}
