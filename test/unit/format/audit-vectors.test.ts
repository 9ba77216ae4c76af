import { describe, expect, it } from 'vitest'
import { type KeyEventsVector, readVectors } from '../../../scripts/vectors/vector-files.js'
import { SHARDS, shardOf } from '../../../src/conversation-key/key-events.js'
import { verifyKeyEvents } from '../../../src/conversation-key/verify-key-events.js'
import type { Database, Statement } from '../../../src/database/database.js'

// That the database hashes as these vectors do is in test/flow/format.test.ts.

describe('a trail of key events that was written once', () => {
  it.each(readVectors('key-events').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    async (_, __, vector) => {
      const { valid, firstInvalidSequence } = await verifyKeyEvents({ database: databaseOf(vector) })
      expect(valid).toBe(vector.result === 'valid')
      expect(firstInvalidSequence).toBe(vector.firstInvalidSequence)
    }
  )
})

/** The two tables in memory. */
function databaseOf({ events, heads }: KeyEventsVector): Database {
  const rows = events.map((event) => ({ ...event, at: new Date(event.at), hash: Buffer.from(event.hash, 'hex') }))
  const run = async ({ name }: Statement, [shard, after]: unknown[]) => {
    if (name === 'key-event-heads') return Array.from({ length: SHARDS }, (_, chain) => headOf(heads, chain))
    return rows.filter(({ sequence }) => shardOf(sequence) === shard && sequence > Number(after))
  }
  return { run } as unknown as Database
}

function headOf(heads: KeyEventsVector['heads'], shard: number): { shard: number; count: number; hash: Buffer } {
  const { count, hash } = heads.find((head) => head.shard === shard) ?? { count: 0, hash: '00'.repeat(32) }
  return { shard, count, hash: Buffer.from(hash, 'hex') }
}
