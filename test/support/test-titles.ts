import { parseAst } from 'vite'

/** What of the syntax tree is looked at; names and places as ESTree has them. */
interface Node {
  type: string
  name?: string
  value?: unknown
  callee?: Node
  object?: Node
  property?: Node
  key?: Node
  expression?: Node
  arguments?: Node[]
  elements?: (Node | null)[]
  properties?: Node[]
  quasis?: { value: { cooked: string } }[]
}

/** `it.runIf(…).each(…)`: what it begins with, and what that was narrowed by. */
interface Chain {
  base: string
  links: { name: string; given: Node[] }[]
}

const TESTS = ['it', 'test']
const GROUPS = ['describe', 'suite']
const NEVER_RUN = ['skip', 'todo', 'fails']

/**
 * Titles of the tests of a source text that are run: none in a comment, none that is skipped or in a group that is. Of a
 * test for each of several rows, one title for each row that begins with its name.
 */
export function testTitles(source: string): string[] {
  return titlesBelow(parseAst(source, { lang: 'ts' }) as unknown as Node)
}

function titlesBelow(node: Node): string[] {
  const chain = node.type === 'CallExpression' ? chainOf(node.callee) : null
  if (chain && [...TESTS, ...GROUPS].includes(chain.base)) {
    if (isNeverRun(chain, node.arguments ?? [])) return []
    if (TESTS.includes(chain.base)) return titlesOf(chain, node.arguments?.[0])
  }
  return childrenOf(node).flatMap(titlesBelow)
}

function chainOf(node: Node | undefined): Chain | null {
  if (node?.type === 'Identifier') return { base: node.name ?? '', links: [] }
  if (node?.type === 'MemberExpression') {
    const chain = chainOf(node.object)
    return chain && { ...chain, links: [...chain.links, { name: node.property?.name ?? '', given: [] }] }
  }
  if (node?.type !== 'CallExpression') return null
  const chain = chainOf(node.callee)
  const last = chain?.links.pop()
  return chain && last ? { ...chain, links: [...chain.links, { ...last, given: node.arguments ?? [] }] } : null
}

/** A condition that has to be evaluated first may hold. */
function isNeverRun({ links }: Chain, given: Node[]): boolean {
  const options = given.flatMap(({ type, properties = [] }) => (type === 'ObjectExpression' ? properties : []))
  if (options.some(({ key }) => NEVER_RUN.includes(key?.name ?? ''))) return true
  return links.some(
    ({ name, given: [condition] }) =>
      NEVER_RUN.includes(name) ||
      (name === 'skipIf' && condition?.value === true) ||
      (name === 'runIf' && condition?.value === false)
  )
}

function titlesOf({ links }: Chain, title: Node | undefined): string[] {
  const text = textOf(title)
  if (text === null) return []
  const rows = rowsOf(links.find(({ name }) => name === 'each' || name === 'for')?.given[0])
  if (!rows) return [text]
  const names = rows.map((row) => textOf(row?.elements?.[0] ?? row ?? undefined))
  return names.map((name) => (name === null ? text : text.replace('%s', () => name)))
}

function rowsOf(table: Node | undefined): (Node | null)[] | undefined {
  return table?.type === 'TSAsExpression' ? rowsOf(table.expression) : table?.elements
}

/** Null for what is known only once it has run. */
function textOf(node: Node | undefined): string | null {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node?.type !== 'TemplateLiteral' || node.quasis?.length !== 1) return null
  return node.quasis[0]?.value.cooked ?? null
}

function childrenOf(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is Node => typeof (value as Node | null)?.type === 'string')
}
