import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.js'
import { migrate } from '../src/database/migrate.js'
import { type ChildOptions, ChildProgram } from './child-program.js'

export interface BenchDatabase {
  url: string
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

/** A database that was seeded once for the whole run, to be cloned, and what its seeding had to say. */
export interface Seeded<Seed> {
  seed: Seed
  clone(): Promise<BenchDatabase>
}

/** What every process of the benchmark is configured with: production, but for where its secrets come from. */
export const AUTH_JWT_SECRET = 'only for the benchmark, and long enough for HS256'
const MASTER_SECRET = Buffer.alloc(32, 7).toString('base64')

/** What cases work with: databases on one PostgreSQL, and processes of their own. Closing it ends all of them. */
export class Stage {
  readonly #serverUrl: string
  readonly #stopServer: () => Promise<void>
  /** Folder for what processes print and write; removed in the end. */
  readonly folder: string
  readonly #profileFolder: string | null
  #profiles = 0
  #closing: Promise<void> | null = null
  /** For the names of profiles. */
  caseName = ''
  readonly #databases = new Set<string>()
  readonly #children = new Set<ChildProgram>()
  readonly #releases: (() => Promise<void>)[] = []
  readonly #seeded = new Map<string, Promise<Seeded<unknown>>>()

  private constructor(
    serverUrl: string,
    folder: string,
    profileFolder: string | null,
    stopServer: () => Promise<void>
  ) {
    this.#serverUrl = serverUrl
    this.folder = folder
    this.#profileFolder = profileFolder
    this.#stopServer = stopServer
  }

  /**
   * @param databaseUrl of a user that may create databases, on a server to measure; null: a PostgreSQL of its own
   * @param profileFolder takes a CPU profile of each API process; null: none is made
   */
  static async open(databaseUrl: string | null, profileFolder: string | null): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'conclave-bench-'))
    await chmod(folder, 0o711)
    if (databaseUrl) return new Stage(databaseUrl, folder, profileFolder, async () => {})
    const postgres = await startEmbeddedPostgres(folder, randomBytes(16).toString('hex'))
    return new Stage(postgres.url, folder, profileFolder, () => postgres.stop())
  }

  /** The version of PostgreSQL, such as `18.1`. */
  async serverVersion(): Promise<string> {
    const [row] = await this.#administer<{ server_version: string }>('show server_version')
    return row?.server_version ?? ''
  }

  /** A database of one's own: migrated, and empty. */
  async database(): Promise<BenchDatabase> {
    return await (await this.seeded('empty', async () => {})).clone()
  }

  /**
   * Seeds a migrated database the first time that it is asked for in this run.
   *
   * @param seed leaves no connection open
   */
  seeded<Seed>(name: string, seed: (database: BenchDatabase) => Promise<Seed>): Promise<Seeded<Seed>> {
    const known = this.#seeded.get(name) as Promise<Seeded<Seed>> | undefined
    const made = known ?? this.#seed(seed)
    this.#seeded.set(name, made)
    return made
  }

  async #seed<Seed>(seed: (database: BenchDatabase) => Promise<Seed>): Promise<Seeded<Seed>> {
    const template = await this.#create('template0')
    await migrate(template.url)
    const result = await seed(template)
    await template.query('vacuum (analyze)')
    await template.disconnect()
    return { seed: result, clone: () => this.#create(template.name) }
  }

  async #create(template: string): Promise<BenchDatabase & { name: string; disconnect(): Promise<void> }> {
    const name = `conclave_bench_${randomUUID().replaceAll('-', '')}`
    // By copying files: the default strategy writes every page of a large template to the log.
    await this.#administer(`create database ${name} template ${template} strategy file_copy`)
    this.#databases.add(name)
    const url = new URL(this.#serverUrl)
    url.pathname = `/${name}`
    const pool = new pg.Pool({ connectionString: url.href, max: 4 })
    pool.on('error', () => {})
    const disconnect = async () => {
      if (!pool.ended) await pool.end()
    }
    return {
      name,
      url: url.href,
      disconnect,
      query: async (text, values) => (await pool.query(text, values)).rows,
      drop: async () => {
        await disconnect()
        await this.#drop(name)
      }
    }
  }

  async #drop(name: string): Promise<void> {
    if (!this.#databases.delete(name)) return
    await this.#administer(`drop database if exists ${name} with (force)`)
  }

  async #administer<Row extends object>(statement: string): Promise<Row[]> {
    const url = new URL(this.#serverUrl)
    url.pathname = '/postgres'
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    try {
      return (await client.query<Row>(statement)).rows
    } finally {
      await client.end()
    }
  }

  /** The environment of a production process on a database. */
  environment(database: BenchDatabase, variables: Record<string, string> = {}): Record<string, string> {
    return {
      NODE_ENV: 'production',
      PORT: '0',
      DATABASE_URL: database.url,
      AUTH_JWT_SECRET,
      MASTER_KEY: 'local:bench',
      MASTER_SECRETS: `bench=${MASTER_SECRET}`,
      KEY_BITS: '2048',
      RATE_LIMITS: 'off',
      SOCKETS_PER_USER: '100000',
      LOG_LEVEL: 'warn',
      ...variables
    }
  }

  /**
   * Starts a module of bench/ in a process of its own, which answers calls; see child-program.ts.
   *
   * @param module for instance `load/http-load.js`
   */
  async child(module: string, options: ChildOptions = {}): Promise<ChildProgram> {
    return await this.#start(new ChildProgram(new URL(module, import.meta.url), this.folder, options))
  }

  /** Starts an API process of the built program; call `url` to learn where it listens. */
  async api(database: BenchDatabase, options: ChildOptions = {}): Promise<ApiProcess> {
    const child = new ChildProgram(new URL('../src/main.js', import.meta.url), this.folder, {
      ...options,
      args: ['api'],
      nodeArgs: [...(options.nodeArgs ?? []), ...this.#profileArgs(options.imports ?? [])],
      imports: ['hooks/report-to-parent.js', ...(options.imports ?? [])],
      env: this.environment(database, options.env)
    })
    await this.#start(child)
    const url = await child.printed(/GraphQL +(http:\/\/[^/]+\/graphql)/)
    return Object.assign(child, { url: url.replace('localhost', '127.0.0.1') })
  }

  #profileArgs(imports: string[]): string[] {
    if (this.#profileFolder === null) return []
    const hooks = imports.map((path) => basename(path, '.js')).join('-') || 'as-built'
    const name = `${this.caseName}-${++this.#profiles}-${hooks}.cpuprofile`
    return ['--cpu-prof', `--cpu-prof-dir=${this.#profileFolder}`, `--cpu-prof-name=${name}`]
  }

  async #start(child: ChildProgram): Promise<ChildProgram> {
    if (this.#closing !== null) {
      await child.close()
      throw new Error('the benchmark ends')
    }
    this.#children.add(child)
    void child.ended.then(() => this.#children.delete(child))
    return child
  }

  /** Has something of a case's own released in any event: by what this returns, or when the stage is closed. */
  afterwards(release: () => Promise<void>): () => Promise<void> {
    let released: Promise<void> | undefined
    const releaseOnce = () => {
      released ??= release()
      return released
    }
    this.#releases.push(releaseOnce)
    return releaseOnce
  }

  /** Ends every process, and drops every database. May be called again, also while it does. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.close()))
    for (const release of this.#releases) await release().catch(() => {})
    for (const name of [...this.#databases]) await this.#drop(name).catch(() => {})
    await this.#stopServer()
    await rm(this.folder, { recursive: true, force: true })
  }
}

export type ApiProcess = ChildProgram & {
  /** Where it serves GraphQL over HTTP. */
  url: string
}
