import { createHash } from 'node:crypto'

/** Operations that somebody sends who wants to keep a server busy, from a seed: the same ones for the same seed. */

export interface HostileRequest {
  kind: string
  query: string
  variables?: Record<string, unknown>
  operationName?: string
  /**
   * TOO_COMPLEX: over a limit, which the answer has to say. REFUSED: over a limit, or wrong. ANSWERED: may be right, and
   * then costs something.
   */
  expected: 'TOO_COMPLEX' | 'REFUSED' | 'ANSWERED'
}

/** What mutations among them would make a conversation of, if they were executed. */
export const HOSTILE_TITLE = 'made by a hostile document'

/** Generates requests of all kinds in turn, each drawn anew. */
export class HostileDocuments {
  static get kinds(): number {
    return Object.keys(KINDS).length
  }

  /** Each kind with all that is drawn for it at its least, and at its most. */
  static get atTheirEnds(): HostileRequest[] {
    const ends: Draw[] = [(min) => min, (_, max) => max]
    return Object.entries(KINDS).flatMap(([kind, make]) => ends.map((draw) => ({ kind, ...make(draw) })))
  }

  readonly #seed: string
  #drawn = 0
  #made = 0

  constructor(seed: string) {
    this.#seed = seed
  }

  next(): HostileRequest {
    const kinds = Object.entries(KINDS)
    const [kind, make] = kinds[this.#made++ % kinds.length] as [string, Make]
    // A comment of its own: none is known from before.
    const { query, ...more } = make(this.#draw)
    return { kind, query: `${query}#${this.#made}`, ...more }
  }

  readonly #draw: Draw = (min, max) => {
    const bytes = createHash('sha256')
      .update(`${this.#seed} ${this.#drawn++}`)
      .digest()
    return min + Math.floor((bytes.readUInt32BE() / 2 ** 32) * (max - min + 1))
  }
}

/** A whole number of a range, both ends included. */
type Draw = (min: number, max: number) => number
type Make = (draw: Draw) => Omit<HostileRequest, 'kind'>

const CREATING = 'mutation ($i: CreateConversationInput!) { createConversation(input: $i) { conversation { id } } }'
const CREATE = `createConversation(input: { title: "${HOSTILE_TITLE}", memberIds: [] }) { conversation { id } }`
const LITERALS = [
  '"x"',
  '1',
  '1e308',
  'true',
  'null',
  'ACTIVE',
  '[]',
  '{}',
  '"""x"""',
  '$x',
  '[[[1]]]',
  '{ a: { b: 1 } }'
]
const FIELDS = ['viewr', 'id', '__typenam', 'conversations', 'constructor', '__proto__', 'toString', 'a', 'node']

const tooComplex = (query: string, more: object = {}) => ({ query, expected: 'TOO_COMPLEX' as const, ...more })
const refused = (query: string, more: object = {}) => ({ query, expected: 'REFUSED' as const, ...more })

/** Each goes past a limit by little or by much, or does what parsers and validators have been slow at. */
const KINDS: Record<string, Make> = {
  depth: (draw) => tooComplex(`{ ${nested(draw(11, 100), 'a', 'id')} }`),
  'depth of objects that are there': (draw) =>
    tooComplex(`{ conversation(id: "x") { ${nested(draw(5, 60), 'lastMessage { conversation', 'id')} } }`),
  'depth of lists': (draw) => {
    const depth = draw(1, 480)
    return refused(`{ node(id: ${'['.repeat(depth)}1${']'.repeat(depth)}) { id } }`)
  },
  aliases: (draw) => tooComplex(`{ viewer { ${times(draw(31, 150), (n) => `a${n}: id`)} } }`),
  'aliases of mutations': (draw) => tooComplex(`mutation { ${times(draw(21, 45), (n) => `a${n}: ${CREATE}`)} }`),
  'fragments that explode': (draw) => tooComplex(`{ ...F0 } ${bomb(draw(9, 30))}`),
  'fragments that explode in width': (draw) => {
    const [length, width] = [draw(6, 12), draw(8, 16)]
    const fragment = (n: number) => `fragment F${n} on Query { ${times(width, () => `...F${n + 1}`)} }`
    return tooComplex(`mutation { ${CREATE} } ${times(length, fragment)} fragment F${length} on Query { a }`)
  },
  'fragments in a circle': (draw) => {
    const length = draw(1, 40)
    const fragment = (n: number) => `fragment F${n} on Mutation { ${CREATE} ...F${(n + 1) % length} }`
    return tooComplex(`mutation { ...F0 } ${times(Math.min(length, 40), fragment)}`)
  },
  'fragments beside each other': (draw) => {
    const count = draw(20, 80)
    const spread = times(count, (n) => `...F${n}`)
    return refused(`{ viewer { ${spread} } } ${times(count, (n) => `fragment F${n} on User { u${n} }`)}`)
  },
  directives: (draw) => tooComplex(`{ viewer { id ${times(draw(51, 300), () => '@include(if: true)')} } }`),
  'directives that there are not': (draw) => refused(`query ${times(draw(1, 400), (n) => `@d${n}`)} { viewer { id } }`),
  repeats: (draw) => tooComplex(`{ viewer { ${times(draw(52, 480), () => 'id')} } }`),
  'repeats with arguments': (draw) =>
    tooComplex(`{ ${times(draw(52, 90), (n) => `node(id: "${'y'.repeat(draw(1, 400))}${n}") { id }`)} }`),
  cost: (draw) =>
    tooComplex(
      `{ conversations(first: ${draw(101, 200)}) { nodes { messages(last: ${draw(101, 200)}) { nodes { id body } } } } }`
    ),
  'cost by variables': (draw) =>
    tooComplex(
      'query ($n: Int, $m: Int) { conversations(first: $n) { nodes { members(first: $m) { nodes { role } } } } }',
      { variables: { n: draw(101, 200), m: draw(101, 200) } }
    ),
  'cost by defaults': (draw) =>
    tooComplex(
      `query ($n: Int = ${draw(101, 200)}) { conversations(first: $n) { nodes { members(first: $n) { nodes { role } } } } }`
    ),
  'cost of pages of which nothing is selected': (draw) => {
    const pages = times(draw(1, 28), (n) => `a${n}: keys(last: ${draw(101, 200)}) { __typename }`)
    return tooComplex(`{ conversations(first: 200) { nodes { ${pages} } } }`)
  },
  'a page too long': (draw) => tooComplex(`{ conversations(first: ${draw(201, 2 ** 31 - 1)}) { totalCount } }`),
  'a page too long, by a variable': (draw) =>
    tooComplex('query ($n: Int) { conversations(first: $n) { totalCount } }', {
      variables: { n: draw(201, 2 ** 31 - 1) }
    }),
  'a page without end': () => refused('{ conversation(id: "x") { messages { nodes { id } } } }'),
  tokens: (draw) => tooComplex(`{ ${'a '.repeat(draw(1_001, 20_000))} }`),
  characters: (draw) => {
    const filler = [' ', ',', '#\n', '\n', '\ufeff', '# x\r\n'][draw(0, 5)] ?? ' '
    return tooComplex(`mutation { ${CREATE} }${filler.repeat(draw(30_001, 60_000))}`)
  },
  'a literal too long': (draw) => tooComplex(`{ node(id: "${'\\u0041'.repeat(draw(6_000, 50_000))}") { id } }`),
  'comments up to the limit': (draw) => ({
    query: `{ viewer { id } }${'#\n'.repeat(draw(10_000, 14_900))}`,
    expected: 'ANSWERED'
  }),
  'a literal up to the limit': (draw) =>
    refused(`{ node(ix: """${'\n'.repeat(draw(20_000, 29_900))}""", id: "x") { id } }`),
  'names up to the limit': (draw) => refused(`{ ${times(draw(1, 19), (n) => `${'n'.repeat(draw(1, 1_500))}${n}`)} }`),
  'fields that there are not': (draw) =>
    refused(`{ nothing ${times(draw(1, 15), () => FIELDS[draw(0, FIELDS.length - 1)] ?? 'a')} }`),
  'arguments that there are not': (draw) => refused(`{ viewer(${times(draw(1, 240), (n) => `a${n}: 1`)}) { id } }`),
  'arguments twice': (draw) => refused(`{ node(${times(draw(2, 240), () => 'id: "x"')}) { id } }`),
  'values that do not fit': (draw) =>
    refused(`{ keyInventory(filter: { states: [${times(draw(1, 400), (n) => `S${n}`)}] }) { totalCount } }`),
  variables: (draw) => refused(`query (${times(draw(1, 240), (n) => `$v${n}: Int`)}) { viewer { id } }`),
  'variables of many lists': (draw) => {
    const depth = draw(1, 480)
    return refused(`query ($v: ${'['.repeat(depth)}Int${']'.repeat(depth)}) { viewer { id } }`)
  },
  'values of variables': (draw) => {
    const memberIds = Array.from({ length: draw(1, 4_000) }, (_, n) => (n === 0 ? {} : 'm'.repeat(draw(1, 20))))
    return refused(CREATING, { variables: { i: { title: HOSTILE_TITLE, memberIds } } })
  },
  'values of variables, each wrong': (draw) =>
    refused(CREATING, { variables: { i: { memberIds: Array.from({ length: draw(1, 4_000) }, () => ({})) } } }),
  'members that there are not': (draw) => refused(CREATING, { variables: { i: members(draw(1, 4_000)) } }),
  'members in the place of a text': (draw) =>
    refused(CREATING, { variables: { i: { memberIds: [], title: members(draw(1, 4_000)) } } }),
  'values too many': (draw) => tooComplex(CREATING, { variables: { i: members(draw(5_001, 12_000)) } }),
  'variables without end': (draw) => refused(CREATING, { variables: { i: nestedValue(draw(2, 3_000)) } }),
  operations: (draw) =>
    tooComplex(
      times(draw(2, 60), (n) => `mutation M${n} { ${CREATE} }`),
      { operationName: 'M1' }
    ),
  'operations of one name': (draw) => refused(times(draw(2, 60), () => 'query Q { viewer { id } }')),
  'an operation that is not there': () => refused('query Q { viewer { id } }', { operationName: 'toString' }),
  introspection: (draw) => refused(`{ __schema { types { ${nested(draw(1, 60), 'fields { type', 'name')} } } }`),
  definitions: (draw) => refused(times(draw(1, 180), (n) => `type T${n} { a: Int }`)),
  'values for the wrong place': (draw) => refused(`{ viewer { id @include(if: ${literal(draw)}) } nothing }`),
  'a text cut short': (draw) => {
    const text = `mutation { ${CREATE} }`
    return refused(text.slice(0, draw(1, text.length - 2)))
  },
  noise: (draw) => refused(`{ ${times(draw(1, 300), () => String.fromCodePoint(draw(1, 0xd7ff)))}`)
}

function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(' ')
}

function nested(depth: number, field: string, selection: string): string {
  return `${`${field} { `.repeat(depth)}${selection}${' }'.repeat(depth * field.split('{').length)}`
}

function bomb(length: number): string {
  const fragment = (n: number) => `fragment F${n} on Query { a { ...F${n + 1} } b { ...F${n + 1} } }`
  return `${times(length, fragment)} fragment F${length} on Query { c }`
}

function members(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, 'v']))
}

function nestedValue(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { memberIds: value }
  return value
}

function literal(draw: Draw): string {
  return LITERALS[draw(0, LITERALS.length - 1)] ?? '1'
}
