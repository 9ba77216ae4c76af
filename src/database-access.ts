import { accessSync, constants, mkdirSync, realpathSync } from 'node:fs'
import { prepareQueueSchema } from '../jobs/queue-schema.js'
import type { Config } from './config.js'
import { checkLogin } from './database/check-login.js'
import { type DatabaseLogin, databaseLogin } from './database/database-login.js'
import type { DatabaseRole } from './database/database-roles.js'
import { type EmbeddedPostgres, joinEmbeddedPostgres, startEmbeddedPostgres } from './database/embedded-postgres.js'
import { migrate } from './database/migrate.js'
import { connectionErrorCode, untilReachable } from './database/until-reachable.js'
import { developmentSecret } from './development-secrets.js'
import type { Logger } from './log.js'
import { StartError } from './start-error.js'

/** What a process can be; each part comes into the database as a role of its own. */
export type Part = 'api' | 'worker'

/** What is composed: a server, or a tool that works beside one, on the same database. */
export type Purpose = 'SERVER' | 'TOOL'

/** The way into a database that is up to date. */
export interface DatabaseAccess {
  login(part: Part): DatabaseLogin
  /** Where the database is, for people: never with a password. */
  place: string
  /** Stops the database where it is this process's own. */
  close(): Promise<void>
}

export const PART_ROLES: Record<Part, DatabaseRole> = { api: 'conclave_api', worker: 'conclave_worker' }
export const URL_VARIABLES: Record<Part, string> = { api: 'API_DATABASE_URL', worker: 'WORKER_DATABASE_URL' }

/**
 * Starts the database where none is configured, migrates it where this process has its owner's login, and checks the
 * logins of the parts.
 */
export async function openDatabaseAccess(
  config: Config,
  parts: readonly Part[],
  log: Logger,
  purpose: Purpose,
  signal: AbortSignal
): Promise<DatabaseAccess> {
  const urls = urlsOf(config)
  if (urls) {
    const place = withoutPassword(urls.owner ?? requireUrl(urls, parts[0] ?? 'api'))
    const open = () => prepare(config, urls, parts, log)
    // A server waits for its database; whoever has given a command is told.
    const prepared = await (purpose === 'SERVER' ? untilReachable(open, place, log, signal) : open()).catch(
      asStartError
    )
    return { ...prepared, close: async () => {} }
  }
  const embedded = await openEmbedded(config, purpose)
  try {
    const own = { owner: embedded.url, api: embedded.apiUrl, worker: embedded.workerUrl }
    const prepared = await prepare(config, own, parts, log).catch(asStartError)
    return { ...prepared, place: embedded.folder, close: () => embedded.stop() }
  } catch (error) {
    await embedded.stop()
    throw error
  }
}

export interface DatabaseUrls extends Record<Part, string | null> {
  /** Of whom the tables belong to; null where somebody else migrates. */
  owner: string | null
}

/**
 * The logins that this process was given, and nothing done with them: for whoever looks at a deployment. An embedded
 * database is started where it does not run.
 */
export async function findDatabase(config: Config): Promise<{ urls: DatabaseUrls; close(): Promise<void> }> {
  const urls = urlsOf(config)
  if (urls) return { urls, close: async () => {} }
  const embedded = await openEmbedded(config, 'TOOL')
  const own = { owner: embedded.url, api: embedded.apiUrl, worker: embedded.workerUrl }
  return { urls: own, close: () => embedded.stop() }
}

/** @returns null where none is configured */
function urlsOf({ databaseUrl, apiDatabaseUrl, workerDatabaseUrl }: Config): DatabaseUrls | null {
  if (!databaseUrl && !apiDatabaseUrl && !workerDatabaseUrl) return null
  return { owner: databaseUrl, api: apiDatabaseUrl ?? databaseUrl, worker: workerDatabaseUrl ?? databaseUrl }
}

async function prepare(
  config: Config,
  urls: DatabaseUrls,
  parts: readonly Part[],
  log: Logger
): Promise<Omit<DatabaseAccess, 'close'>> {
  const login = (part: Part) => databaseLogin(requireUrl(urls, part), PART_ROLES[part])
  for (const part of parts) login(part)
  if (urls.owner) await bringUpToDate(urls.owner, config)
  for (const part of parts) {
    const excess = await checkLogin(login(part), PART_ROLES[part]).catch((error: unknown) => {
      const variable = urls[part] === urls.owner ? 'DATABASE_URL' : URL_VARIABLES[part]
      throw unreachableDatabase(requireUrl(urls, part), variable, error)
    })
    // In development one login for everything is nothing to be told about at each start.
    if (config.mode === 'production') for (const what of excess) log.warn({ part }, what)
  }
  return { login, place: withoutPassword(requireUrl(urls, parts[0] ?? 'api')) }
}

/** @throws StartError for a database that cannot be reached */
export async function migrateAll(url: string, config: Pick<Config, 'redisUrl'>): Promise<void> {
  await bringUpToDate(url, config).catch(asStartError)
}

/** The tables of Conclave, and those of the queue where the database carries it. */
async function bringUpToDate(url: string, { redisUrl }: Pick<Config, 'redisUrl'>): Promise<void> {
  try {
    await migrate(url)
    if (redisUrl === null) await prepareQueueSchema(url)
  } catch (error) {
    throw unreachableDatabase(url, 'DATABASE_URL', error)
  }
}

function requireUrl(urls: DatabaseUrls, part: Part): string {
  const url = urls[part]
  if (url !== null) return url
  throw new StartError(
    `${URL_VARIABLES[part]} is missing: this process runs the ${part}. Set it, or DATABASE_URL for all parts.`
  )
}

async function openEmbedded(config: Config, purpose: Purpose): Promise<EmbeddedPostgres> {
  const dataDir = prepareDataDir(config)
  const open = purpose === 'SERVER' ? startEmbeddedPostgres : joinEmbeddedPostgres
  try {
    return await open(dataDir, developmentSecret(dataDir, 'postgres-password'))
  } catch (error) {
    throw unusableDataDir(config, error)
  }
}

/** Creates the data folder and checks that it can be used. */
export function prepareDataDir(config: Config): string {
  try {
    // Root's embedded PostgreSQL runs as another user, who has to pass through this folder; what lies in it is closed.
    mkdirSync(config.dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
    accessSync(config.dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return realpathSync(config.dataDir)
  } catch (error) {
    throw unusableDataDir(config, error)
  }
}

function unusableDataDir(config: Config, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (!['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST', 'ENOSPC'].includes(code)) return error
  return new StartError(
    `The data folder ${config.dataDir} cannot be used (${code}). Make it writable, or set DATA_DIR to another folder.`
  )
}

/** Codes of node and of PostgreSQL (SQLSTATE classes 28 and 3D) for a database that does not let us in. */
const UNREACHABLE =
  /^(ECONN.*|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|28\w{3}|3D\w{3}|57P0[13]|no answer)$/

/** A database that could not be reached, by the code that says why. */
class UnreachableDatabase extends Error {
  constructor(
    readonly code: string,
    message: string
  ) {
    super(message)
  }
}

/** @returns an error that says what to do where the database could not be reached, and `error` itself otherwise */
export function unreachableDatabase(databaseUrl: string, variable: string, error: unknown): unknown {
  if (error instanceof StartError) return error
  const code = connectionErrorCode(error)
  if (!UNREACHABLE.test(code)) return error
  return new UnreachableDatabase(
    code,
    `The database ${withoutPassword(databaseUrl)} cannot be reached (${code}). Check ${variable}, and that it runs and lets this user in.`
  )
}

function asStartError(error: unknown): never {
  throw error instanceof UnreachableDatabase ? new StartError(error.message) : error
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  return `${url.protocol}//${url.host}${url.pathname}`
}
