import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { TestDatabase } from '../test-database.js'
import type { Written } from './markers.js'

/** What each connection to the database has asked last, this question with a word in it included. */
export async function lastStatements(database: TestDatabase, word: string): Promise<Written> {
  const activity = await database.query<{ query: string }>(
    `select query from pg_stat_activity where datname = current_database() -- ${word}`
  )
  return { 'statements of the connections': activity.map(({ query }) => query).join('\n') }
}

/** What the database holds, column by column, bytes in hex and as text. */
export async function writtenInDatabase(database: TestDatabase): Promise<Written> {
  const tables = await database.query<{ name: string }>(`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`)
  const written: Written = {}
  for (const { name } of tables) {
    const rows = await database.query<Record<string, unknown>>(`select * from ${name}`)
    for (const row of rows)
      for (const [column, value] of Object.entries(row)) {
        const place = `column ${name}.${column}`
        written[place] = `${written[place] ?? ''}${textOf(value)}\n`
      }
  }
  const [log] = await database.query<{ text: string }>(`select pg_read_file('server.log') as text`)
  written['log of PostgreSQL'] = log?.text ?? ''
  return written
}

function textOf(value: unknown): string {
  if (!(value instanceof Buffer)) return typeof value === 'string' ? value : JSON.stringify(value)
  return `${value.toString('hex')} ${value.toString('latin1')}`
}

/** Every key of a Redis, and its value. */
export async function writtenInRedis(url: string): Promise<Written> {
  const redis = new Redis(url)
  try {
    const written: Written = {}
    for (const key of await redis.keys('*')) written[`Redis key ${key}`] = `${key} ${await contentOf(redis, key)}`
    return written
  } finally {
    redis.disconnect()
  }
}

async function contentOf(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case 'string':
      return (await redis.getBuffer(key))?.toString('latin1') ?? ''
    case 'hash':
      return JSON.stringify(await redis.hgetall(key))
    case 'list':
      return JSON.stringify(await redis.lrange(key, 0, -1))
    case 'set':
      return JSON.stringify(await redis.smembers(key))
    case 'zset':
      return JSON.stringify(await redis.zrange(key, '0', '-1'))
    case 'stream':
      return JSON.stringify(await redis.xrange(key, '-', '+'))
    case 'none':
      return ''
    default:
      throw new Error(`say how ${key} is read`)
  }
}

/** What others see of a process. */
export function writtenOfProcess(name: string, pid: number): Written {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1')
  return { [`command line of the ${name}`]: read('cmdline'), [`title of the ${name}`]: read('comm') }
}

/** All files below a folder, links not followed. */
export function writtenInFiles(folder: string, name = folder): Written {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => statSync(path).size < 64 * 1024 * 1024)
      .map((path) => [`file ${name}${path.slice(folder.length)}`, readFileSync(path, 'latin1')])
  )
}
