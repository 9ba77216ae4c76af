import { type Migration, Migrator } from '@mikro-orm/migrations'
import { MikroORM } from '@mikro-orm/postgresql'
import type pg from 'pg'
import { migrations } from '../../migrations/index.js'

/**
 * A dump in plain SQL: the statements of the migrations as they are today, then every row. The program's own PostgreSQL
 * comes without pg_dump, and one of the system is as a rule too old for it.
 */

/** As the migrator of MikroORM makes it. */
const MIGRATIONS_TABLE =
  'create table migrations (id serial primary key, name varchar(255) not null, executed_at timestamptz(6) not null default current_timestamp(6))'

/** Of this process only, and unlogged. */
const LEFT_OUT = ['send_paces']

/** Statements of each migration, by its name. */
export async function migrationStatements(): Promise<Map<string, string[]>> {
  // Connects with the first query, of which there is none.
  const orm = new MikroORM({
    dbName: 'unused',
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    logger: () => {}
  })
  const statements = new Map<string, string[]>()
  for (const { name, class: Written } of migrations) {
    const migration: Migration = new Written(orm.em.getDriver(), orm.config)
    await migration.up()
    statements.set(
      name,
      migration.getQueries().map((query) => String(query).trim())
    )
  }
  await orm.close(true)
  return statements
}

/** @param client of the superuser, on a database with all migrations */
export async function dump(client: pg.Client): Promise<string> {
  const schema = [...(await migrationStatements()).entries()].flatMap(([name, statements]) => [
    `-- ${name}`,
    ...statements.map((statement) => `${statement};`)
  ])
  const tables = await tablesOf(client)
  const rows = []
  for (const table of tables) rows.push(...(await insertsOf(client, table)))
  return [
    '-- Made by npm run release-fixture. Its keys and its master secrets are for tests alone.',
    `${MIGRATIONS_TABLE};`,
    ...schema,
    '-- Rows, as they are: the triggers have seen them once.',
    'set session_replication_role = replica;',
    ...tables.map((table) => `delete from ${table};`),
    ...rows,
    'set session_replication_role = default;',
    ...(await sequencesOf(client)),
    ''
  ].join('\n')
}

async function tablesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> all($1) order by relname`,
    [LEFT_OUT]
  )
  return rows.map(({ name }) => name)
}

async function insertsOf(client: pg.Client, table: string): Promise<string[]> {
  const { rows: columns } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [table]
  )
  const names = columns.map(({ name }) => name)
  const values = names.map((name) => `quote_nullable(${name}::text)`).join(`, ', ', `)
  const { rows } = await client.query<{ values: string }>(
    `select concat(${values}) as values from ${table} order by ${names[0]}, ${names[1] ?? names[0]}`
  )
  const begin = `insert into ${table} (${names.join(', ')}) overriding system value values`
  return rows.map((row) => `${begin} (${row.values});`)
}

/** Where numbers go on. */
async function sequencesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `select sequencename as name, last_value::text as last from pg_sequences where schemaname = 'public' order by 1`
  )
  return rows.flatMap(({ name, last }) => (last === null ? [] : [`select setval('${name}', ${last});`]))
}
