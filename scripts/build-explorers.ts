import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

/** What the explorers are made of; package.json names the exact versions of the packages. */
const SOURCES = ['web/explorers', 'web/compressed-copies.ts', 'documents', 'package.json']
const OUTPUT = join('dist', 'explorers')
const STAMP = join(OUTPUT, 'sources.sha256')

/**
 * Builds GraphiQL and the page around Sandbox into dist/explorers, unless they are there and nothing of what they are
 * made of has changed: the editor alone takes seconds, and every start would wait for them.
 *
 * @param project the folder of the project
 * @returns whether there was something to build
 */
export async function buildExplorers(project = process.cwd()): Promise<boolean> {
  const digest = digestOf(project)
  const stamp = join(project, STAMP)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return false
  await build({ configFile: join(project, 'web/explorers/vite.config.ts'), logLevel: 'error' })
  writeFileSync(stamp, digest)
  return true
}

function digestOf(project: string): string {
  const digest = createHash('sha256')
  for (const source of SOURCES) {
    for (const path of filesOf(join(project, source))) {
      if (source === 'documents' && !path.endsWith('.graphql')) continue
      digest.update(`${path.slice(project.length)}\n`).update(readFileSync(path))
    }
  }
  return digest.digest('hex')
}

function filesOf(path: string): string[] {
  if (statSync(path).isFile()) return [path]
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
