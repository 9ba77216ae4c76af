import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type KeyEvent, SHARDS, sequenceOf, shardOf } from '../../../src/conversation-key/key-events.js'
import { countKeyEvents, listKeyEvents, listKeyEventsOf } from '../../../src/conversation-key/list-key-events.js'
import { verifyKeyEvents } from '../../../src/conversation-key/verify-key-events.js'
import type { Database, Statement } from '../../../src/database/database.js'

// On a real database this is in test/flow/audit.test.ts; here chains can be damaged in any way.

type Draft = Partial<Omit<KeyEvent, 'sequence' | 'hash'>>

/** The sixteen chains in memory, hashed as docs and migrations have it, and read as the statements read them. */
class Chains {
  readonly events: KeyEvent[] = []
  readonly heads = Array.from({ length: SHARDS }, (_, shard) => ({ shard, count: 0, hash: Buffer.alloc(32) as Buffer }))
  readonly asked: { name: string; values: unknown[] }[] = []
  head(shard: number): { count: number; hash: Buffer } {
    return this.heads[shard] ?? expect.fail('there are sixteen chains')
  }

  get database(): Database {
    const run = async ({ name }: Statement, values: unknown[]) => {
      this.asked.push({ name: name ?? '', values })
      if (name === 'key-event-heads') return this.heads.map((head) => ({ ...head }))
      if (name === 'key-event-chain') return this.#chain(Number(values[0]), Number(values[1])).slice(0, 1000)
      if (name === 'list-key-events') return this.#lists(values)
      if (name === 'list-key-events-of-conversation')
        return this.events
          .filter(({ conversationId, sequence }) => conversationId === values[0] && sequence > Number(values[1]))
          .sort((a, b) => a.sequence - b.sequence)
          .slice(0, Number(values[2]))
      return values[0] === null ? [{ count: 7 }] : []
    }
    return { run } as unknown as Database
  }

  #chain(shard: number, after: number): KeyEvent[] {
    return this.events
      .filter(({ sequence }) => shardOf(sequence) === shard && sequence > after)
      .sort((a, b) => a.sequence - b.sequence)
  }

  #lists([shards, afters, limit]: unknown[]): KeyEvent[] {
    return (shards as number[]).flatMap((shard, index) =>
      this.#chain(shard, (afters as number[])[index] ?? 0).slice(0, Number(limit))
    )
  }

  add(shard: number, draft: Draft = {}): KeyEvent {
    const head = this.head(shard)
    const event: KeyEvent = {
      sequence: (head.count++ * SHARDS + shard + 1) as number,
      at: new Date(Date.UTC(2026, 10, 1, 0, 0, this.events.length)),
      actor: 'alice',
      action: 'key.activated',
      conversationId: null,
      keyVersion: null,
      detail: null,
      hash: Buffer.alloc(0),
      ...draft
    }
    event.hash = hashed(head.hash, event)
    head.hash = event.hash
    this.events.push(event)
    return event
  }

  /** An anchor of what the heads are now, in the first chain. */
  anchor(): KeyEvent {
    const heads = this.heads.filter(({ count }) => count > 0)
    const detail = heads.map(({ shard, count, hash }) => `${shard}:${count}:${hash.toString('hex')}`).join(' ')
    return this.add(0, { action: 'audit.anchored', detail })
  }

  /** Computes all hashes of a chain anew, as somebody who can write to the tables would. */
  forge(shard: number): void {
    const head = this.head(shard)
    head.hash = Buffer.alloc(32)
    const chain = this.#chain(shard, 0)
    for (const event of chain) head.hash = event.hash = hashed(head.hash, event)
    head.count = chain.length
  }

  remove(event: KeyEvent): void {
    this.events.splice(this.events.indexOf(event), 1)
  }

  async verify() {
    return await verifyKeyEvents({ database: this.database })
  }
}

function hashed(before: Buffer, { sequence, at, actor, action, conversationId, keyVersion, detail }: KeyEvent): Buffer {
  const fields = [String(sequence), at.toISOString(), actor, action, conversationId, keyVersion, detail].map(
    (value) => {
      if (value === null) return Buffer.from('ffffffff', 'hex')
      const text = Buffer.from(String(value))
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length)
      return Buffer.concat([length, text])
    }
  )
  return createHash('sha256')
    .update(Buffer.concat([before, ...fields]))
    .digest()
}

function chainsWith(counts: Record<number, number>): Chains {
  const chains = new Chains()
  for (const [shard, count] of Object.entries(counts)) for (let n = 0; n < count; n++) chains.add(Number(shard))
  return chains
}

describe('sequences', () => {
  it('say the chain and the place in it', () => {
    expect(sequenceOf(0, 1)).toBe(1)
    expect(sequenceOf(15, 1)).toBe(16)
    expect(sequenceOf(0, 2)).toBe(17)
    expect(sequenceOf(3, 0)).toBe(-12)
    for (const shard of [0, 7, 15]) for (const n of [1, 2, 99]) expect(shardOf(sequenceOf(shard, n))).toBe(shard)
  })
})

describe('a verification of the chains', () => {
  it.each<[string, (event: KeyEvent) => void]>([
    ['time', (event) => (event.at = new Date(event.at.getTime() + 1))],
    ['actor', (event) => (event.actor = 'bob')],
    ['action', (event) => (event.action = 'key.destroyed')],
    ['conversation', (event) => (event.conversationId = 'c2')],
    ['absent conversation', (event) => (event.conversationId = null)],
    ['version', (event) => (event.keyVersion = 2)],
    ['absent version', (event) => (event.keyVersion = null)],
    ['detail', (event) => (event.detail = 'b=2')],
    ['empty detail', (event) => (event.detail = '')],
    ['absent detail', (event) => (event.detail = null)],
    ['hash', (event) => (event.hash = Buffer.alloc(32, 1))]
  ])('finds an event whose %s was changed', async (_, change) => {
    const chains = chainsWith({ 3: 2, 5: 4 })
    const event = chains.add(3, { conversationId: 'c1', keyVersion: 1, detail: 'a=1' })
    chains.add(3)
    expect(await chains.verify()).toEqual({ valid: true, checked: 8, firstInvalidSequence: null })
    change(event)
    expect(await chains.verify()).toEqual({ valid: false, checked: 6, firstInvalidSequence: event.sequence })
  })

  it('tells an absent text from an empty one', async () => {
    const chains = chainsWith({})
    const event = chains.add(3, { detail: null })
    event.detail = ''
    expect(await chains.verify()).toMatchObject({ valid: false })
  })

  it('finds an event that was removed, wherever it was', async () => {
    for (const n of [1, 2, 3]) {
      const chains = chainsWith({ 4: 3 })
      const sequence = sequenceOf(4, n)
      chains.remove(chains.events.find((event) => event.sequence === sequence) as KeyEvent)
      expect(await chains.verify()).toEqual({ valid: false, checked: n - 1, firstInvalidSequence: sequence })
    }
  })

  it('finds an event that was smuggled in behind the head, and one in a wrong place', async () => {
    const behind = chainsWith({ 4: 2 })
    const before = { ...behind.head(4) }
    const smuggled = behind.add(4)
    Object.assign(behind.head(4), before)
    expect(await behind.verify()).toEqual({ valid: false, checked: 2, firstInvalidSequence: smuggled.sequence })
    const gap = chainsWith({ 4: 1 })
    const misplaced = gap.add(4)
    misplaced.sequence = sequenceOf(4, 3)
    gap.forge(4)
    expect(await gap.verify()).toEqual({ valid: false, checked: 1, firstInvalidSequence: sequenceOf(4, 2) })
  })

  it('finds a head that is not that of its chain, and one that is missing', async () => {
    const other = chainsWith({ 4: 2 })
    other.head(4).hash = Buffer.alloc(32, 1)
    expect(await other.verify()).toEqual({ valid: false, checked: 2, firstInvalidSequence: sequenceOf(4, 3) })
    const longer = chainsWith({ 4: 2 })
    longer.head(4).count = 3
    expect(await longer.verify()).toEqual({ valid: false, checked: 2, firstInvalidSequence: sequenceOf(4, 3) })
    const missing = chainsWith({ 4: 2 })
    missing.heads.splice(4, 1)
    expect(await missing.verify()).toEqual({ valid: false, checked: 0, firstInvalidSequence: sequenceOf(4, 1) })
  })

  it('leaves an event that is added meanwhile to the next one', async () => {
    const chains = chainsWith({ 4: 2 })
    const { database } = chains
    const run = database.run.bind(database)
    let added = false
    const during = {
      run: async (statement: Statement, values: unknown[]) => {
        if (statement.name === 'key-event-chain' && values[0] === 4 && !added) {
          added = true
          chains.add(4)
        }
        return await run(statement, values)
      }
    } as unknown as Database
    expect(await verifyKeyEvents({ database: during })).toEqual({ valid: true, checked: 2, firstInvalidSequence: null })
  })

  it('finds the first of several', async () => {
    const chains = chainsWith({ 2: 3, 9: 2 })
    for (const event of chains.events) if (event.sequence > 16) event.actor = 'bob'
    expect(await chains.verify()).toMatchObject({ valid: false, firstInvalidSequence: sequenceOf(2, 2) })
  })

  it('reads a chain of more than a thousand to its end', async () => {
    const chains = chainsWith({ 6: 2001 })
    expect(await chains.verify()).toMatchObject({ valid: true, checked: 2001 })
    expect(chains.asked.filter(({ name, values }) => name === 'key-event-chain' && values[0] === 6)).toHaveLength(3)
    const last = chains.events.at(-1) as KeyEvent
    last.actor = 'bob'
    expect(await chains.verify()).toMatchObject({ checked: 2000, firstInvalidSequence: last.sequence })
  })

  it('of nothing at all is valid', async () => {
    expect(await new Chains().verify()).toEqual({ valid: true, checked: 0, firstInvalidSequence: null })
  })
})

describe('an anchor', () => {
  it('gives away a chain that was written anew, hashes and head included', async () => {
    const chains = chainsWith({ 3: 3, 5: 1 })
    chains.anchor()
    chains.add(3)
    expect(await chains.verify()).toMatchObject({ valid: true, checked: 6 })
    const changed = chains.events[2] as KeyEvent
    changed.actor = 'bob'
    chains.forge(3)
    expect(await chains.verify()).toMatchObject({ valid: false, firstInvalidSequence: changed.sequence })
  })

  it('gives away a chain that was cut short, to nothing as well', async () => {
    for (const left of [0, 2]) {
      const chains = chainsWith({ 3: 3 })
      chains.anchor()
      for (const event of chains.events.filter(({ sequence }) => shardOf(sequence) === 3).slice(left))
        chains.remove(event)
      chains.forge(3)
      expect(await chains.verify()).toEqual({
        valid: false,
        checked: 1 + left,
        firstInvalidSequence: sequenceOf(3, left + 1)
      })
    }
  })

  it('takes nothing from an entry that is none, nor from another action', async () => {
    const chains = chainsWith({ 3: 1 })
    chains.add(0, { action: 'audit.anchored', detail: '3:0:00 3 3:: x:y:z' })
    chains.add(0, { action: 'audit.anchored', detail: null })
    chains.add(0, { action: 'key.activated', detail: '3:9:00' })
    expect(await chains.verify()).toMatchObject({ valid: true })
    chains.add(0, { action: 'audit.anchored', detail: '3:2:00' })
    expect(await chains.verify()).toMatchObject({ valid: false, firstInvalidSequence: sequenceOf(3, 2) })
  })
})

describe('a list of the events of all chains', () => {
  it('goes by time, then by sequence, and goes on where a page ended', async () => {
    const chains = new Chains()
    const at = new Date('2026-11-01T00:00:00Z')
    for (const shard of [9, 2, 2, 15, 0]) chains.add(shard, { at })
    chains.add(2, { at: new Date(at.getTime() - 1000) })
    const all = await listKeyEvents(chains, null, 100)
    // The last of the third chain is older by its time, and comes behind the others of its chain all the same.
    expect(all.map(({ sequence }) => sequence)).toEqual([1, 3, 10, 16, 19, 35])
    const pages: number[] = []
    let after: string | null = null
    for (;;) {
      const page: Awaited<ReturnType<typeof listKeyEvents>> = await listKeyEvents(chains, after, 2)
      if (page.length === 0) break
      expect(page.length).toBeLessThanOrEqual(2)
      pages.push(...page.map(({ sequence }) => sequence))
      after = page.at(-1)?.position ?? null
    }
    expect(pages).toEqual(all.map(({ sequence }) => sequence))
    expect(after).toBe('1 0 3 0 0 0 0 0 0 1 0 0 0 0 0 1')
  })

  it('still finds an event that is added to a chain that lags behind', async () => {
    const chains = chainsWith({ 1: 1, 8: 1 })
    const [, last] = await listKeyEvents(chains, null, 2)
    const late = chains.add(1, { at: new Date('2020-01-01') })
    expect(await listKeyEvents(chains, last?.position ?? '', 5)).toMatchObject([{ sequence: late.sequence }])
  })
})

describe('a list of the events of one conversation', () => {
  it('goes by sequence, from behind the position on', async () => {
    const chains = new Chains()
    for (const conversationId of ['c1', 'c2', 'c1', 'c1']) chains.add(4, { conversationId })
    expect(await listKeyEventsOf(chains, 'c1', null, 2)).toMatchObject([
      { sequence: 5, position: '5' },
      { sequence: 37, position: '37' }
    ])
    expect(await listKeyEventsOf(chains, 'c1', '37', 2)).toMatchObject([{ sequence: 53, position: '53' }])
  })

  it('is counted by the database, and none where it says nothing', async () => {
    expect(await countKeyEvents(new Chains(), null)).toBe(7)
    expect(await countKeyEvents(new Chains(), 'c1')).toBe(0)
  })
})
