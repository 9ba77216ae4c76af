import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

interface Pages {
  /** Below dist. */
  output: string
  config: string
  /** What they are made of; package.json names the exact versions of the packages. */
  sources: string[]
}

/** Modules of the server that the console imports. */
export const SHARED_WITH_SERVER = ['src/conversation-key/key-actions.ts', 'src/membership/rights.ts']
const CONSOLE: Pages = {
  output: 'web',
  config: 'web/vite.config.ts',
  sources: [
    ...['src', 'public', 'index.html', 'vite.config.ts', 'compressed-copies.ts'].map((name) => `web/${name}`),
    ...SHARED_WITH_SERVER,
    'documents/generated.ts',
    'package.json'
  ]
}
const EXPLORERS: Pages = {
  output: 'explorers',
  config: 'web/explorers/vite.config.ts',
  sources: ['web/explorers', 'web/compressed-copies.ts', 'documents', 'package.json']
}

/**
 * Builds the console into dist/web, and GraphiQL and the page around Sandbox into dist/explorers; each unless it is there
 * and nothing of what it is made of has changed: together they take many seconds, and every start would wait for them.
 *
 * @param project the folder of the project
 * @returns the folders below dist that were built anew
 */
export async function buildPages(project = process.cwd()): Promise<string[]> {
  const built: string[] = []
  for (const pages of [CONSOLE, EXPLORERS]) if (await buildUnlessBuilt(project, pages)) built.push(pages.output)
  return built
}

async function buildUnlessBuilt(project: string, { output, config, sources }: Pages): Promise<boolean> {
  const digest = digestOf(project, sources)
  const stamp = join(project, 'dist', `${output}.sha256`)
  if (existsSync(join(project, 'dist', output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest)
    return false
  await buildForProduction(join(project, config))
  writeFileSync(stamp, digest)
  return true
}

/** Whatever this process is for: what is built for development has the paths of its sources in it, and is half as large again. */
async function buildForProduction(configFile: string): Promise<void> {
  const { NODE_ENV } = process.env
  process.env.NODE_ENV = 'production'
  try {
    await build({ configFile, logLevel: 'error' })
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
  }
}

function digestOf(project: string, sources: readonly string[]): string {
  const digest = createHash('sha256')
  for (const source of sources) {
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
