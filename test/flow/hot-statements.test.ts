import { globSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HotStatement, hotStatements } from '../../bench/hot-statements.js'
import { planFaults } from '../../bench/plan-faults.js'
import {
  bulkConversations,
  bulkMembers,
  bulkMessages,
  bulkOperations,
  bulkPool,
  countBulkMessages,
  inBulk
} from '../../bench/seeding/bulk-rows.js'
import { FILTERED_OF_CHAINS } from '../../src/conversation-key/list-key-events.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/**
 * 20,000 messages, of which the planner believes that they are ten million: it goes by the rows per page that the
 * statistics have, and by their distribution, which was sampled from real ones.
 */
const CONVERSATIONS = 2000
const MESSAGES_EACH = 10
const TIMES_AS_MANY = 500
const POOLED = 200

/** Run on request of an administrator or an auditor, or seldom; what they count or walk through, they have to. */
const notHot: Record<string, string> = {
  'count-due-by-day': 'for an auditor',
  'count-due-rotations': 'when somebody asks for all rotations at once',
  'count-key-events': 'for an auditor',
  'count-keys-by-state': 'for the metrics, seldom, and for a twentieth of the time at most',
  'count-overdue': 'likewise',
  'count-keys-to-rewrap': 'at both ends of a rewrap',
  'find-export': 'for an owner who waits for an export',
  'import-key-state': 'once for a thousand messages of an import',
  'key-event-chain': 'for an auditor who verifies all of it',
  'key-event-heads': 'sixteen rows',
  'key-health': 'for an auditor',
  'keys-of-any': 'for an auditor, or an operator',
  'master-key-census': 'at the start, and for an auditor',
  'write-export-part': 'puts in one row'
}

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(
    inBulk(
      ...bulkConversations(CONVERSATIONS),
      ...bulkMembers(CONVERSATIONS),
      bulkMessages(1, MESSAGES_EACH),
      countBulkMessages(MESSAGES_EACH),
      `insert into key_events
       select n, (n - 1) % 16, now(), 'scheduler', 'key.activated', c.id, 1, null, ''
         from (select id, row_number() over () as n from conversations) c`,
      bulkOperations(CONVERSATIONS),
      bulkPool(POOLED)
    )
  )
  await database.query('analyze')
  await database.query(
    `select pg_restore_relation_stats('schemaname', 'public', 'relname', relname::text, 'relpages', relpages,
                                      'reltuples', (reltuples * ${TIMES_AS_MANY})::real)
       from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i') and reltuples > 0`
  )
})

afterAll(() => database.drop())

const faultsOf = (hot: HotStatement) => planFaults((text, values) => database.query(text, values), hot)

describe('the plan of a hot statement', () => {
  it('is refused where it reads a table from end to end', async () => {
    const statement = { name: 'all', text: 'select from messages where created_at < $1' }
    expect(await faultsOf({ statement })).toEqual(['all reads all of messages'])
  })

  it('is refused where it sorts what it did not say', async () => {
    const statement = { name: 'latest', text: 'select from messages where conversation_id = $1 order by created_at' }
    expect(await faultsOf({ statement })).toEqual(['latest sorts by created_at'])
    expect(await faultsOf({ statement, sorts: 'the messages of a conversation' })).toEqual([])
  })

  it.for(hotStatements)('neither reads all of a table nor sorts: $statement.name', async (hot) => {
    expect(await faultsOf(hot)).toEqual([])
  })

  it.for([
    ['an action', 'key.destroyed', null, 'key_events_action'],
    ['who acted', null, 'alice', 'key_events_actor'],
    ['an action of the schedule', 'key.destroyed', 'scheduler', 'key_events_action'],
    ['a rotation by somebody', 'key.activated', 'alice', 'key_events_actor']
  ] as const)('reads what is rare in an audit trail from an index: %s', async ([, action, actor, index]) => {
    const chains = Array.from({ length: 16 }, (_, chain) => chain)
    const values = [chains, chains.map(() => 0), 51, action, actor]
    const plan = await database.query(`explain (format json) ${FILTERED_OF_CHAINS.text}`, values)
    expect(JSON.stringify(plan)).toContain(`"Index Name":"${index}"`)
  })

  it('is looked at for every named statement, but for those that are known not to be hot', () => {
    const source = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'))
    const names = source.flatMap((text) =>
      [...text.matchAll(/Statement = \{\s*name: '([^']+)'/g)].map(([, name]) => name)
    )
    const hot = hotStatements.map(({ statement }) => statement.name)
    expect(names.length).toBeGreaterThan(30)
    expect(names.filter((name) => !hot.includes(name) && !notHot[name ?? ''])).toEqual([])
  })

  it('is made for ten million messages', async () => {
    const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
      'explain (format json) select from messages'
    )
    expect(row?.['QUERY PLAN'][0].Plan['Plan Rows']).toBeCloseTo(CONVERSATIONS * MESSAGES_EACH * TIMES_AS_MANY, -5)
  })
})
