import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, print } from 'graphql'
import { describe, expect, it } from 'vitest'
import { readyOperations } from '../../../web/explorers/ready-operations.js'

const project = join(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(project, path), 'utf8')
const filesIn = (folder: string, ending: string) =>
  readdirSync(join(project, folder)).flatMap((name) => (name.endsWith(ending) ? [`${folder}/${name}`] : []))

const ready = new Map(
  readyOperations(Object.fromEntries(filesIn('documents', '.graphql').map((path) => [path, read(path)]))).map(
    ({ name, text }) => [name, print(parse(text))]
  )
)

/** Everything that a reader copies: pages of docs/, README.md, and the examples. */
const pages = ['README.md', ...filesIn('docs', '.md'), ...filesIn('examples', '.mjs')]
const found = (pattern: RegExp) =>
  pages.flatMap((path) => [...read(path).matchAll(pattern)].map(([, text = '']) => [path, text]))

describe('an operation in the documents', () => {
  const written = found(/((?:query|mutation|subscription) \w+(?: ?\(\$[^)]*\))? \{\n.*?\n\})/gs)
  const named = found(/npm run -s graphql -- (\w+)/g)

  it('is found', () => {
    expect(written.map(([path, text]) => `${path}: ${/ (\w+)/.exec(text ?? '')?.[1]}`)).toEqual([
      'docs/clients.md: ClientPage',
      'docs/clients.md: ClientEvents',
      'docs/clients.md: ClientConversations',
      'docs/clients.md: ClientInbox',
      'docs/clients.md: ClientSend',
      'docs/operations.md: LatestMessages'
    ])
    expect(new Set(named.map(([path]) => path))).toEqual(
      new Set(['README.md', 'docs/operations.md', 'examples/graphql.mjs'])
    )
  })

  it.each(written)('of %s is the ready one of its name: %s', (_, text) => {
    const [, name = ''] = / (\w+)/.exec(text) ?? []
    expect(print(parse(text))).toBe(ready.get(name))
  })

  it.each(named)('that %s names is a ready one: %s', (_, name) => {
    expect([...ready.keys()]).toContain(name)
  })
})
