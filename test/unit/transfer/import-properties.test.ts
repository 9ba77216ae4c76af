import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Batch, importBatches } from '../../../src/transfer/import-batches.js'
import { ImportIds } from '../../../src/transfer/import-ids.js'
import { addLine, type ImportRow, skipImported } from '../../../src/transfer/import-position.js'
import { jsonLines, type SourceLine } from '../../../src/transfer/import-source.js'
import { checkRecord } from '../../../src/transfer/records.js'
import { parseMapping, quotedTable } from '../../../src/transfer/sql/table-mapping.js'
import { tableStatements } from '../../../src/transfer/sql/table-statements.js'
import { TransferError, type TransferErrorCode } from '../../../src/transfer/transfer-error.js'
import { anyText, BRIEF, bytes, check, checkAsync, textDamages } from '../../support/properties.js'
import { TestClock } from '../../support/test-clock.js'
import { collected, fileOf } from '../../support/transfer/files.js'

/** The readers of what is imported, given anything at all. */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const reference = fc.oneof(
  fc.uuid(),
  fc.nat().map(String),
  anyText(10).filter((text) => text !== '' && text.isWellFormed())
)
const userId = fc.string({ unit: fc.constantFrom(...'abcxyz@.é🙂 '), minLength: 1, maxLength: 20 })
const instant = fc
  .date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())
const count = fc.nat(2 ** 31 - 1)

/** With every member that a record of its type may have. */
const records = fc.oneof(
  fc.record({
    type: fc.constant('conversation'),
    id: reference,
    title: fc.option(anyText(20)),
    historyVisibility: fc.constantFrom('FULL', 'SINCE_JOINED'),
    createdAt: instant,
    keyPolicy: fc.option(fc.record({ rotateAfter: fc.option(anyText(9)), rotateAfterMessages: fc.option(count) }))
  }),
  fc.record({ type: fc.constant('user'), id: userId, name: userId }),
  fc.record({
    type: fc.constant('message'),
    conversationId: reference,
    sequence: count.filter((number) => number > 0),
    id: reference,
    kind: fc.constantFrom('TEXT', 'SYSTEM'),
    senderId: fc.option(userId),
    clientMessageId: fc.option(anyText(20)),
    status: fc.constantFrom('READABLE', 'DELETED', 'KEY_DESTROYED', 'UNREADABLE'),
    body: fc.option(anyText(40)),
    replyToId: fc.option(reference),
    revision: count,
    createdAt: instant,
    editedAt: fc.option(instant),
    deletedAt: fc.option(instant)
  }),
  fc.record({
    type: fc.constant('member'),
    conversationId: reference,
    userId,
    role: fc.constantFrom('OWNER', 'MODERATOR', 'MEMBER'),
    joinedAt: instant,
    visibleAfter: count,
    lastReadSequence: count
  })
)

/** Records of which a member is another, or one too many. */
const nearlyRecord = fc
  .tuple(
    records,
    fc.oneof(fc.constantFrom('type', 'id', 'createdAt', 'conversationId', 'replyToId', '__proto__'), anyText(8)),
    fc.oneof(fc.jsonValue(), fc.constantFrom('\ud800', 'a\udc00b', '\u0000'), anyText(5))
  )
  .map(([record, name, value]) => ({ ...record, [name]: value }))

const anyLine = fc.oneof(
  records.map((record) => JSON.stringify(record)),
  nearlyRecord.map((record) => JSON.stringify(record)),
  fc.tuple(records, textDamages).map(([record, spoil]) => spoil(JSON.stringify(record))),
  anyText()
)

/** Null for what was refused; the test fails where that was in another way than the documented one. */
async function valueOrRefused<T>(code: TransferErrorCode, read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    expect(error).toBeInstanceOf(TransferError)
    expect(error).toMatchObject({ code })
    return null
  }
}

describe('a file of JSON Lines', () => {
  it('gives back its records, in whatever pieces it is read', async () => {
    await checkAsync(
      fc.asyncProperty(
        fc.array(records, { maxLength: 5 }),
        fc.integer({ min: 1, max: 500 }),
        async (all, pieceBytes) => {
          const lines = await collected(
            jsonLines(
              fileOf(
                all.map((record) => `${JSON.stringify(record)}\n`),
                pieceBytes
              )
            )
          )
          expect(lines.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1))
          const asGiven = (record: object) => JSON.parse(JSON.stringify(record))
          expect(await Promise.all(lines.map((line) => line.read()))).toEqual(all.map(asGiven))
        }
      ),
      300,
      BRIEF
    )
  })

  it('is refused at a line, or read as records that can be stored, whatever is in it', async () => {
    const file = fc.oneof(
      { weight: 4, arbitrary: fc.array(anyLine, { maxLength: 4 }).map((lines) => Buffer.from(lines.join('\n'))) },
      bytes()
    )
    await checkAsync(
      fc.asyncProperty(file, fc.boolean(), async (content, takesBlank) => {
        const lines = jsonLines(fileOf(content, 50))
        const batches = await valueOrRefused('LINE', () => collected(importBatches(lines, limits(takesBlank))))
        for (const batch of batches ?? []) expectStorable(batch)
      }),
      1000,
      BRIEF
    )
  })

  it('has nothing of a value in what is said of a line', () => {
    const record = fc.dictionary(
      fc.constantFrom('type', 'id', 'name', 'body', 'createdAt', 'status'),
      fc.constantFrom('a secret', 'user', 7, null)
    )
    check(
      fc.property(record, (value) => {
        const found = checkRecord(value)
        if ('problem' in found) expect(found.problem).not.toContain('a secret')
      })
    )
  })
})

function limits(takesBlank: boolean) {
  return {
    ...{ ids: new ImportIds('file'), clock: new TestClock(), maxBodyBytes: 1000, maxMessages: 10 },
    takesBlank
  }
}

function expectStorable(batch: Batch): void {
  if (batch.kind === 'CONVERSATION') expect(batch.id).toMatch(UUID)
  if (batch.kind !== 'MESSAGES') return
  expect(batch.conversationId).toMatch(UUID)
  for (const { id, replyToId, createdAt, editedAt, deletedAt, body } of batch.drafts) {
    for (const one of [id, replyToId ?? id]) expect(one).toMatch(UUID)
    for (const date of [createdAt, editedAt ?? createdAt, deletedAt ?? createdAt]) {
      expect(date.getUTCFullYear()).toBeGreaterThanOrEqual(1)
      expect(date.getUTCFullYear()).toBeLessThanOrEqual(9999)
    }
    expect(body === null).toBe(deletedAt !== null)
  }
}

describe('an import that goes on', () => {
  /** With numbers that have gaps, as blank lines leave them. */
  const source = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.string({ maxLength: 8 })), { minLength: 1, maxLength: 12 })
    .map((lines) => {
      let number = 0
      return lines.map(([step, content]): Line => {
        number += step
        return { number, content }
      })
    })
  type Line = Pick<SourceLine, 'number' | 'content'>

  async function* asLines(lines: readonly Line[]): AsyncGenerator<SourceLine> {
    for (const line of lines) yield { ...line, read: () => expect.fail('what is in already is not read again') }
  }

  /** As it stands once those lines are in. */
  function rowAfter(lines: readonly Line[]): ImportRow {
    const hash = createHash('sha256')
    for (const line of lines) addLine(hash, line)
    const rest = { id: 'an import', messages: 0, unreadable: 0, blank: 0, finishedAt: null }
    return { ...rest, lines: lines.at(-1)?.number ?? 0, hash: hash.digest() }
  }

  it('does so at the line behind the last that is in, wherever it stood', async () => {
    await checkAsync(
      fc.asyncProperty(source, fc.nat(12), async (lines, imported) => {
        const done = lines.slice(0, imported)
        const iterator = asLines(lines)
        const position = await skipImported(rowAfter(done), iterator)
        expect(position.lines).toBe(done.at(-1)?.number ?? 0)
        const { value } = await iterator.next()
        expect(value?.number).toBe(lines[done.length]?.number)
      })
    )
  })

  it('does not where any of those lines is another, is missing, or stands elsewhere', async () => {
    const change = fc.constantFrom<(lines: Line[], at: number) => Line[]>(
      (lines, at) => lines.with(at, { number: lines[at]?.number ?? 0, content: `${lines[at]?.content}x` }),
      (lines, at) => lines.toSpliced(at, 1),
      (lines, at) => lines.toSpliced(at, 0, { number: lines[at]?.number ?? 0, content: 'one more' }),
      (lines, at) =>
        lines.map((line, index) => ({ ...line, content: lines[(index + at + 1) % lines.length]?.content ?? '' }))
    )
    await checkAsync(
      fc.asyncProperty(source, fc.nat(11), change, async (lines, place, spoil) => {
        const at = place % lines.length
        const other = spoil(lines, at)
        fc.pre(
          JSON.stringify(other.map(({ content }) => content)) !== JSON.stringify(lines.map(({ content }) => content))
        )
        expect(await valueOrRefused('CONFLICT', () => skipImported(rowAfter(lines), asLines(other)))).toBeNull()
      })
    )
  })
})

describe('a mapping of tables', () => {
  const name = fc.oneof(
    fc.constantFrom('id', 'a"b', '"; drop table messages; --', 'auth.user', 'a\0b', 'a\ud800'),
    anyText(20)
  )
  const table = fc.dictionary(
    fc.constantFrom(
      'table',
      'id',
      'privateKey',
      'title',
      'createdAt',
      'owner',
      'conversation',
      'sender',
      'body',
      'user',
      'userId',
      'name'
    ),
    fc.option(name)
  )
  const mapping = fc.record(
    {
      conversations: table,
      messages: table,
      members: fc.option(table),
      users: fc.option(table),
      nobody: fc.option(name)
    },
    { requiredKeys: [] }
  )
  const text = fc.oneof(
    name.map((given) => JSON.stringify({ messages: { table: given } })),
    mapping.map((value) => JSON.stringify(value)),
    fc.tuple(mapping, textDamages).map(([value, spoil]) => spoil(JSON.stringify(value))),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    anyText()
  )
  /** A whole identifier, as PostgreSQL takes one. */
  const QUOTED = /"(?:[^"\0]|"")+"/g

  it('is taken or refused by a sentence, whatever is given', async () => {
    await checkAsync(
      fc.asyncProperty(text, async (json) => {
        const found = await valueOrRefused('FORMAT', () => parseMapping(json))
        if (!found) return
        expect(parseMapping(JSON.stringify(found))).toEqual(found)
        // It would end the statement in the driver's own message.
        expect(Object.values({ ...found.conversations, ...found.messages }).join()).not.toContain('\0')
      }),
      1000,
      BRIEF
    )
  })

  it('has its names in the statements quoted, and nothing else of them', () => {
    const one = name.filter((given) => given !== '' && !given.includes('\0') && given.isWellFormed())
    const named = fc.record({
      conversations: fc.record({ table: one, id: one, privateKey: one, title: one, createdAt: one, owner: one }),
      messages: fc.record({
        table: one,
        id: one,
        conversation: one,
        sender: one,
        body: one,
        createdAt: one,
        editedAt: one,
        deletedAt: one
      }),
      members: fc.record({ table: one, conversation: one, user: one }),
      users: fc.record({ table: one, id: one, userId: one, name: one })
    })
    const skeletonOf = (given: object) =>
      Object.values(tableStatements(parseMapping(JSON.stringify(given)))).map((statement) =>
        statement.replaceAll(/(?:"(?:[^"\0]|"")*"\.)*"(?:[^"\0]|"")*"/g, 'name')
      )
    const [plain] = fc.sample(named, { numRuns: 1, seed: 1 })
    check(
      fc.property(named, (given) => {
        expect(skeletonOf(given)).toEqual(skeletonOf(plain ?? {}))
      })
    )
  })

  it('quotes a name as one identifier for each of its parts', () => {
    check(
      fc.property(
        fc.array(
          anyText(10).filter((part) => part !== '' && !/[.\0]/.test(part)),
          { minLength: 1, maxLength: 3 }
        ),
        (parts) => {
          const quoted = quotedTable(parts.join('.')).match(QUOTED) ?? []
          expect(quoted.map((part) => part.slice(1, -1).replaceAll('""', '"'))).toEqual(parts)
        }
      )
    )
  })
})
