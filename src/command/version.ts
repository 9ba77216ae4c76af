import { readFileSync } from 'node:fs'

/** Of the project, from the package.json above what was built. */
export function version(): string {
  for (const above of ['../../', '../../../']) {
    const found = read(new URL(`${above}package.json`, import.meta.url))
    if (found) return found
  }
  return 'unknown'
}

function read(path: URL): string | null {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { version?: string }).version ?? null
  } catch {
    return null
  }
}
