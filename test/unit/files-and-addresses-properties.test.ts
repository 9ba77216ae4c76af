import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { GraphQLError } from 'graphql'
import { afterAll, describe, expect, it } from 'vitest'
import { BadUserInput } from '../../src/errors.js'
import { type OperationSource, PersistedQueries } from '../../src/graphql/persisted-queries.js'
import { readOperationList } from '../../src/operation-list.js'
import { parseRedisCluster } from '../../src/redis-url.js'
import { anyText, check, textDamages } from '../support/properties.js'

const folder = mkdtempSync(join(tmpdir(), 'conclave-properties-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a list of operations', () => {
  it('is read or refused with sentences, whatever the file holds', () => {
    const manifest = fc.record(
      {
        format: fc.constantFrom('apollo-persisted-query-manifest', 'other'),
        version: fc.constantFrom(1, 2, '1'),
        operations: fc.oneof(
          fc.array(fc.oneof(fc.jsonValue(), fc.record({ id: anyText(5), body: anyText(20) }))),
          fc.jsonValue()
        )
      },
      { requiredKeys: [] }
    )
    const content = fc.oneof(
      manifest.map((of) => JSON.stringify(of)),
      fc.tuple(manifest, textDamages).map(([of, spoil]) => spoil(JSON.stringify(of))),
      anyText()
    )
    const path = join(folder, 'manifest.json')
    check(
      fc.property(content, (text) => {
        writeFileSync(path, text)
        const problems: string[] = []
        const list = readOperationList(path, problems)
        if (problems.length === 0) expect(JSON.parse(text).operations).toHaveLength(list.size)
        for (const problem of problems) expect(problem).toMatch(/^PERSISTED_QUERIES /)
      })
    )
  })
})

describe('the operation that a request wants', () => {
  it('is a text, or refused, whatever its extensions are', () => {
    const hash = fc.oneof(
      anyText(10),
      fc.jsonValue(),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
    )
    const persistedQuery = fc.oneof(
      fc.record({ version: fc.oneof(fc.constant(1), fc.jsonValue()), sha256Hash: hash }, { requiredKeys: [] }),
      fc.jsonValue()
    )
    const source = fc.record(
      {
        query: fc.option(anyText(30)),
        extensions: fc.option(fc.oneof(fc.record({ persistedQuery }), fc.dictionary(anyText(5), fc.jsonValue())))
      },
      { requiredKeys: [] }
    ) as fc.Arbitrary<OperationSource>
    const lists = fc.constantFrom(null, new Map([['a', '{ viewer { id } }']]))
    check(
      fc.property(source, lists, (of, list) => {
        const queries = new PersistedQueries(list)
        try {
          const text = queries.textOf(of)
          expect(typeof text).toBe('string')
          if (list) expect([...list.values()]).toContain(text)
          else expect(text).toBe(of.query ?? '')
          queries.keep(of)
        } catch (error) {
          expect(error instanceof BadUserInput || error instanceof GraphQLError).toBe(true)
        }
      }),
      1000
    )
  })
})

describe('the address of a Redis cluster', () => {
  it('is nodes that have a host and a port, or refused by an Error', () => {
    const address = fc.oneof(
      anyText(40).map((text) => `redis-cluster://${text}`),
      fc
        .tuple(fc.domain(), fc.nat(99_999), anyText(20))
        .map(([host, port, more]) => `rediss-cluster://${host}:${port}?node=${more}`),
      fc.tuple(fc.ipV6(), fc.ipV4()).map(([six, four]) => `redis-cluster://[${six}]:7000?node=${four}:7001`),
      anyText(40)
    )
    check(
      fc.property(address, (text) => {
        const place = placeOrRefused(text)
        for (const { host, port } of place?.nodes ?? []) {
          expect(host).not.toBe('')
          expect(host).not.toMatch(/[\s/@]/)
          expect(Number.isInteger(port) && port >= 0 && port <= 65_535).toBe(true)
        }
      }),
      1000
    )
  })
})

function placeOrRefused(text: string) {
  try {
    return parseRedisCluster(text)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return null
  }
}
