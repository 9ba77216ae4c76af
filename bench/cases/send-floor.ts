import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { STORE_ONE } from '../../src/message/store-statements.js'
import { CannotRun, type Case } from '../case.js'
import { giveOneCoreEach } from '../cores.js'
import { BODY } from '../operations.js'
import { inBulk } from '../seeding/bulk-rows.js'
import type { BenchDatabase } from '../stage.js'
import { AT_ONCE, CONVERSATIONS, conversationsToSendTo, openSending, ROUND_MS } from './send.js'

const run = promisify(execFile)
/** Header, nonce and tag of an envelope around its body. */
const ENVELOPE_BYTES = 30 + BODY.length
/** Whole seconds: pgbench counts in no others. */
const SECONDS = 2

/** A UUID whose digits are a number. */
const uuidOf = (variable: string) => `lpad(to_hex(${variable}::integer), 32, '0')::uuid`
/** Passed like a value: a constant in its place would be planned away. */
const NULL = "nullif(:nothing::text, 'nothing')"

/** The parameters of {@link STORE_ONE}, as pgbench can make them. */
const PARAMETERS: Record<string, string> = {
  $1: uuidOf(':conversation'),
  $2: uuidOf(':conversation'),
  $3: 'now()',
  $4: '2147483647',
  $5: 'uuidv7()',
  $6: "('owner-' || :conversation)",
  $7: '(:client_message_id)::text',
  $8: `${NULL}::uuid`,
  $9: ':envelope::bytea'
}

const SCRIPT = `
\\set conversation random(0, ${CONVERSATIONS - 1})
\\set client_message_id random(1, 9223372036854775807)
${STORE_ONE.text.replaceAll(/\$\d::\w+|\$\d/g, (found) => {
  const [parameter = '', type] = found.split('::')
  return `${PARAMETERS[parameter]}${type ? `::${type}` : ''}`
})};
`

export const sendFloor: Case = {
  name: 'send-floor',
  measured: 'the same, one API process on one core, PostgreSQL on another',
  beside: 'pgbench of the same statement, 32 clients, PostgreSQL on that core',
  unit: '/s',
  goal: { ratio: 'AT_LEAST', value: 0.5 },
  async prepare(stage) {
    await run('pgbench', ['--version']).catch(() => {
      throw new CannotRun(
        'there is no pgbench. Install the client programs of PostgreSQL (Debian: postgresql-contrib).'
      )
    })
    const { database } = await conversationsToSendTo(stage)
    await numberConversations(database)
    const script = join(stage.folder, 'send.sql')
    await writeFile(script, SCRIPT)
    const sending = await openSending(stage)
    const release = await giveOneCoreEach(stage, sending.api.pid, database).catch(async (error) => {
      await sending.close()
      await database.drop()
      throw error
    })
    return {
      measured: () => sending.perSecond({ ms: ROUND_MS }),
      beside: () => pgbench(database, script),
      async close() {
        await release()
        await sending.close()
        await database.drop()
      }
    }
  }
}

/** Puts a copy beside each conversation, whose ids are the number that its owner has: 0, 1, 2 … */
async function numberConversations(database: BenchDatabase): Promise<void> {
  const copy = (table: string, conversation: string, ids: string) => `
    insert into ${table}
    select copy.* from ${table} x
      join members o on o.conversation_id = x.${conversation} and o.role = 'OWNER'
     cross join lateral jsonb_populate_record(x, jsonb_build_object(${ids})) copy`
  const number = uuidOf("substr(o.user_id, length('owner-') + 1)")
  // A conversation and its data key refer to each other, and no key has an event.
  await database.query(
    inBulk(
      copy('conversations', 'id', `'id', ${number}, 'data_key_id', ${number}`),
      copy('conversation_keys', 'conversation_id', `'conversation_id', ${number}, 'key_id', ${number}`),
      copy('data_keys', 'conversation_id', `'conversation_id', ${number}, 'id', ${number}`),
      copy('members', 'conversation_id', `'conversation_id', ${number}`)
    )
  )
  await database.query('vacuum (analyze)')
}

/** @returns statements per second, without the time to connect, every one of which has stored a message */
async function pgbench(database: BenchDatabase, script: string): Promise<number> {
  const envelope = `envelope=\\x${'5a'.repeat(ENVELOPE_BYTES)}`
  const options = ['--no-vacuum', '--protocol=prepared', `--client=${AT_ONCE}`, `--time=${SECONDS}`]
  const variables = ['--define=nothing=nothing', `--define=${envelope}`]
  const before = await storedMessages(database)
  const { stdout } = await run('pgbench', [...options, ...variables, `--file=${script}`, database.url])
  const figure = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1])
  const stored = (await storedMessages(database)) - before
  if (stored !== figure(/actually processed: (\d+)/)) throw new Error(`${stored} messages were stored:\n${stdout}`)
  return figure(/^tps = ([\d.]+)/m)
}

async function storedMessages(database: BenchDatabase): Promise<number> {
  const [row] = await database.query<{ stored: number }>(
    'select sum(last_sequence)::integer as stored from conversations'
  )
  return row?.stored ?? 0
}
