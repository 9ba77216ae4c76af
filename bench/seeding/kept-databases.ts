import pg from 'pg'
import type { BenchDatabase } from '../stage.js'

/** Databases by name, on a server that keeps them. */
export class KeptDatabases {
  readonly #serverUrl: string
  readonly #pools = new Set<pg.Pool>()

  constructor(serverUrl: string) {
    this.#serverUrl = serverUrl
  }

  async has(name: string): Promise<boolean> {
    return (await this.#administer('select from pg_database where datname = $1', [name])).length > 0
  }

  /** Drops the databases of earlier seeds: each takes gigabytes. */
  async dropAllBut(names: string[]): Promise<void> {
    const others = await this.#administer<{ name: string }>(
      'select datname as name from pg_database where not datistemplate and datname <> all($1)',
      [['postgres', ...names]]
    )
    for (const { name } of others) await this.#administer(`drop database ${name} with (force)`)
  }

  /** Copies a database and seeds the copy, under another name until it is whole. */
  async make(name: string, template: string, seed: (database: BenchDatabase) => Promise<void>): Promise<void> {
    const draft = await this.copy(template, `${name}_draft`)
    const database = this.open(draft)
    await seed(database)
    await database.drop()
    await this.#administer(`drop database if exists ${name}`)
    await this.#administer(`alter database ${draft} rename to ${name}`)
  }

  /** In the place of an earlier copy, if there is one. @returns its name */
  async copy(template: string, name: string): Promise<string> {
    await this.#administer(`drop database if exists ${name} with (force)`)
    await this.#administer(`create database ${name} template ${template} strategy file_copy`)
    return name
  }

  /** Dropping it closes its connections, and keeps it. */
  open(name: string): BenchDatabase {
    const url = this.#urlOf(name)
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    pool.on('error', () => {})
    this.#pools.add(pool)
    return {
      url,
      query: async (text, values) => (await pool.query(text, values)).rows,
      drop: () => this.#end(pool)
    }
  }

  async close(): Promise<void> {
    for (const pool of this.#pools) await this.#end(pool)
  }

  async #end(pool: pg.Pool): Promise<void> {
    if (this.#pools.delete(pool)) await pool.end()
  }

  async #administer<Row extends object>(statement: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres') })
    await client.connect()
    try {
      return (await client.query<Row>(statement, values)).rows
    } finally {
      await client.end()
    }
  }

  #urlOf(name: string): string {
    const url = new URL(this.#serverUrl)
    url.pathname = `/${name}`
    return url.href
  }
}
