import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

export const PROJECT = join(import.meta.dirname, '..', '..', '..')

export function read(path: string): string {
  return readFileSync(join(PROJECT, path), 'utf8')
}

/** A file of one document, with what its `<<` bring. Variables as `${NAME:-default}` are those of `env`. */
export function readYaml<Content>(path: string, env: Record<string, string> = {}): Content {
  const text = read(path).replace(/(?<!\$)\$\{(\w+):-([^}]*)\}/g, (_, name, otherwise) => env[name] || otherwise)
  return parse(text, { merge: true, strict: true })
}

/** A file of several. */
export function readDocuments<Content>(path: string): Content[] {
  return parseAllDocuments(read(path), { merge: true, strict: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS()
  })
}

/** After how long on the way out the process ends whatever is still open. */
export function drainMs(): number {
  const [, ms] = /^const SHUTDOWN_MS = ([\d_]+)$/m.exec(read('src/serve.ts')) ?? []
  if (!ms) throw new Error('src/serve.ts no longer says how long it takes to end')
  return Number(ms.replaceAll('_', ''))
}
