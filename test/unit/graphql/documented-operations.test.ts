import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, print } from 'graphql'
import { describe, expect, it } from 'vitest'
import { readyOperations } from '../../../web/explorers/ready-operations.js'

const project = join(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(project, path), 'utf8')
const filesBelow = (folder: string, ending: string) =>
  readdirSync(join(project, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((path) => path.endsWith(ending))

const ready = new Map(
  readyOperations(Object.fromEntries(filesBelow('documents', '.graphql').map((path) => [path, read(path)]))).map(
    ({ name, text }) => [name, print(parse(text))]
  )
)

/** What a reader copies from: the pages of docs/ with those below it, README.md, and the examples. */
const pages = ['README.md', ...filesBelow('docs', '.md'), ...filesBelow('examples', '.mjs')]
const found = (pattern: RegExp) =>
  pages.flatMap((path) => [...read(path).matchAll(pattern)].map(([, text = '']) => [path, text] as const))

describe('an operation in the documents', () => {
  const fenced = found(/```graphql\n(.*?)```/gs)
  const inCode = found(/`((?:query|mutation|subscription|\{)[^`]*\{[^`]*)`/g).filter(([, text]) => !text.includes('…'))
  const given = found(/npm run -s graphql -- (.\S*)/g)

  it('is found, and given by its name', () => {
    expect([...fenced, ...inCode].map(([path, text]) => `${path}: ${nameOf(text)}`)).toEqual([
      'docs/operations.md: LatestMessages',
      'docs/clients.md: ClientPage',
      'docs/clients.md: ClientEvents',
      'docs/clients.md: ClientConversations',
      'docs/clients.md: ClientInbox',
      'docs/clients.md: ClientSend'
    ])
    const others = given.filter(([, text]) => !/^\w+$/.test(text))
    // Those say that a document can be given.
    expect(others).toEqual([
      ['examples/graphql.mjs', "'{"],
      ['examples/graphql.mjs', "'<operation,"]
    ])
    expect(new Set(given.map(([path]) => path))).toEqual(
      new Set(['README.md', 'docs/operations.md', 'examples/graphql.mjs'])
    )
  })

  it.each([...fenced, ...inCode])('of %s is the ready one of its name: %s', (_, text) => {
    expect(print(parse(text))).toBe(ready.get(nameOf(text)))
  })

  it.each(given.filter(([, text]) => /^\w+$/.test(text)))('that %s gives is a ready one: %s', (_, name) => {
    expect([...ready.keys()]).toContain(name)
  })
})

function nameOf(text: string): string {
  return /^(?:query|mutation|subscription) (\w+)/.exec(text)?.[1] ?? ''
}
