import { describe, expect, it } from 'vitest'
import { readVectors } from '../../scripts/vectors/vector-files.js'
import { createTestDatabase } from '../support/test-database.js'

describe('the database function that appends key events', () => {
  it.each(
    readVectors('key-events')
      .filter(({ result }) => result === 'valid')
      .map((vector) => [vector.name, vector] as const)
  )('gives the hashes that it gave once: %s', async (_, { events, heads }) => {
    const database = await createTestDatabase()
    for (const { at, actor, action, conversationId, keyVersion, detail } of events) {
      const values = [at, actor, action, [conversationId], [keyVersion], detail]
      // As the owner: it takes anchors too.
      await database.query('select append_key_events_unchecked($1, $2, $3, $4::uuid[], $5::integer[], $6)', values)
    }
    const written = await database.query(`
        select sequence::float8 as sequence, actor, detail, encode(hash, 'hex') as hash from key_events order by 1`)
    expect(written).toEqual(events.map(({ sequence, actor, detail, hash }) => ({ sequence, actor, detail, hash })))
    const kept = await database.query(`
        select shard, count::float8 as count, encode(hash, 'hex') as hash from key_event_heads where count > 0 order by 1`)
    expect(kept).toEqual(heads)
    await database.drop()
  })
})
