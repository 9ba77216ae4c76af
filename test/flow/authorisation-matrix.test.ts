import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isLeafType,
  isObjectType,
  parse,
  print,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo
} from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SetTypingDocument } from '../../documents/generated.js'
import { ACTORS, type Actor, AS_THEIR_PARENT, FIELDS, OPERATIONS } from '../../scripts/authorisation-table.js'
import { createSchema } from '../../src/graphql/schema.js'
import { makeOwnConversation, makeSubject, type Subject } from '../support/authorisation-subject.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { EventStreamClient, type StreamResult } from '../support/event-streams.js'
import type { GraphQLClient, GraphQLErrorShape, Result } from '../support/graphql-client.js'

/** Every cell of scripts/authorisation-table.ts, tried; and that nothing of the schema is missing there. */

const TABLE = 'scripts/authorisation-table.ts'

const schema = createSchema({ devToken: true })
const rootTypes = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter(isObjectType)
const objectTypes = Object.values(schema.getTypeMap())
  .filter(isObjectType)
  .filter((type) => !type.name.startsWith('__'))
const fieldsOf = (type: GraphQLObjectType) => Object.keys(type.getFields())

describe('the table of authorisation', () => {
  it('has every query, mutation and subscription, and a look-up by id of every type that can be looked up', () => {
    const node = schema.getType('Node')
    const lookUps = objectTypes.filter((type) => type.getInterfaces().some((one) => one === node))
    const wanted = [
      ...rootTypes.flatMap((type) => fieldsOf(type).map((field) => `${type.name}.${field}`)),
      ...lookUps.map((type) => `Query.node: ${type.name}`)
    ].filter((name) => name !== 'Query.node')
    const rows = new Set(OPERATIONS.map(([about]) => about))
    expect(
      wanted
        .filter((name) => !rows.has(name))
        .map((name) => `${name} is not in OPERATIONS of ${TABLE}: add a row that says who may use it`)
    ).toEqual([])
    expect(
      [...rows]
        .filter((name) => !wanted.includes(name))
        .map((name) => `${name} is no operation: take its rows out of ${TABLE}`)
    ).toEqual([])
  })

  it('accounts for every field of every other type', () => {
    const wanted = objectTypes
      .filter((type) => !rootTypes.includes(type))
      .flatMap((type) => fieldsOf(type).map((field) => `${type.name}.${field}`))
    const listed = Object.entries(AS_THEIR_PARENT).flatMap(([type, names]) =>
      names.split(' ').map((name) => `${type}.${name}`)
    )
    const rows = new Set(FIELDS.map(([about]) => about))
    const missing = wanted.filter((name) => !rows.has(name) && !listed.includes(name))
    expect(
      missing.map(
        (name) =>
          `${name} is not in ${TABLE}: add a row to FIELDS that says who sees it, or its name to AS_THEIR_PARENT if everybody sees it who sees the object`
      )
    ).toEqual([])
    const stale = [...rows, ...listed].filter((name) => !wanted.includes(name))
    expect(stale.map((name) => `${name} is no field: take it out of ${TABLE}`)).toEqual([])
    expect(
      listed.filter((name) => rows.has(name)).map((name) => `${name} has a row: take it out of AS_THEIR_PARENT`)
    ).toEqual([])
  })

  it.each([...OPERATIONS, ...FIELDS])('asks for %s by %s', (about, asked, ...outcomes) => {
    const [field, lookedUp] = about.split(': ')
    const document = documentOf(asked.replace(/\$\w+/g, '"x"'))
    expect(validate(schema, document)).toEqual([])
    expect(selectedIn(document)).toContain(field)
    if (lookedUp) expect(asked).toContain('__typename')
    expect(outcomes).toHaveLength(ACTORS.length)
  })
})

let conclave: TestConclave
/** What nothing has been done to yet. */
let subject: Subject | null = null

beforeAll(async () => {
  conclave = await bootConclave({}, { KEY_POOL_TARGET: '0' })
})
afterAll(() => conclave.close())

describe.each([
  ['operations', OPERATIONS],
  ['fields', FIELDS]
])('on a running server, of %s', (_kind, rows) => {
  describe.each(rows)('%s by %s', (about, asked, ...expected) => {
    it('gives each what the table says', async () => {
      const isMutation = rootTypeOf(asked) === 'mutation'
      if (isMutation) subject = null
      const found = []
      for (const actor of ACTORS) {
        subject ??= await makeSubject(conclave)
        const outcome = await attempt(subject, actor, about, asked)
        found.push(outcome)
        // The next one must not find what was done to this one.
        if (isMutation && outcome === 'ok' && asked.includes('$')) subject = null
      }
      if (isMutation) subject = null
      expect(byActor(found)).toEqual(byActor(expected))
    })
  })
})

describe('somebody without a token', () => {
  const rows = [...OPERATIONS, ...FIELDS].filter(([, , withoutToken]) => withoutToken !== 'ok')

  it.each(rows)('is told just that of %s by %s, though its arguments are nonsense', async (_about, asked) => {
    const document = documentOf(asked.replace(/\$\w+/g, '"nonsense"'))
    const { data, errors } = await askedAtOnce(document)
    expect(isNothing(data ?? null)).toBe(true)
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
  })
})

describe('a field that is listed as shown with its parent', () => {
  const ofMembers: Actor[] = ['member', 'moderator', 'owner']
  const ofKeys: Actor[] = ['keys:read', 'keys:admin']
  it.each([
    ['conversation(id: $conversation)', ofMembers],
    ['conversationKeyPolicy(conversationId: $conversation)', ofKeys],
    ['conversationKeys(conversationId: $conversation)', ofKeys],
    ['dueRotations', ofKeys],
    ['keyEvents(conversationId: $conversation)', ofKeys],
    ['keyHealth', ofKeys],
    ['keyInventory(first: 5)', ofKeys],
    ['keyOperation(id: $operation)', ofKeys],
    ['keyOperations(first: 5)', ofKeys],
    ['verifyKeyEvents', ofKeys]
  ])('is the same for everybody who gets %s', async (field, actors) => {
    const subject = await makeSubject(conclave)
    const type = schema.getQueryType()?.getFields()[/\w+/.exec(field)?.[0] ?? '']?.type
    const asked = await filledIn(subject, `${field} ${type ? selectionOf(type, ['Query']) : ''}`)
    const answers = await Promise.all(actors.map((actor) => subject.clients[actor].execute(documentOf(asked))))
    for (const { data, errors } of answers) {
      expect(errors).toBeUndefined()
      expect(data).toEqual(answers[0]?.data)
    }
  })
})

/** Outcomes by the name of who has them: a failure then reads as a sentence. */
function byActor(outcomes: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(ACTORS.map((actor, index) => [actor, outcomes[index]]))
}

async function attempt(subject: Subject, actor: Actor, about: string, asked: string): Promise<string> {
  const by = subject.clients[actor]
  const document = documentOf(await filledIn(subject, asked))
  const outsiders: Actor[] = ['stranger', 'removed member', 'keys:read', 'keys:admin']
  if (isOfAll(asked) && outsiders.includes(actor)) await makeOwnConversation(by)
  const { data, errors } =
    rootTypeOf(asked) === 'subscription' ? await firstOf(subject, by, document) : await by.execute(document)
  if (errors) return codeOf(errors)
  const lookedUp = about.split(': ')[1]
  if (lookedUp && data?.node) expect(data.node).toMatchObject({ __typename: lookedUp })
  if (isOfAll(asked) && !JSON.stringify(data).includes(await subject.id('conversation'))) return 'own'
  const [, name = ''] = /\.(\w+)/.exec(about) ?? []
  return isNothing(valuesOf(data, name)) ? 'null' : 'ok'
}

type Answer = Record<string, unknown>

/** Over HTTP; a subscription as server-sent events, of which a refusal is the first and the last. */
async function askedAtOnce(document: TypedDocumentNode<Answer>): Promise<Partial<Result<Answer>> | StreamResult> {
  const query = print(document)
  if (!query.startsWith('subscription')) return await conclave.anonymous().post({ query })
  const [refusal = {}] = await new EventStreamClient(conclave.url, null).all({ query })
  return refusal
}

/** Whether it is about all that the asker can see, and not about one conversation. */
function isOfAll(asked: string): boolean {
  return /^(conversations|inboxEvents|membershipEvents)\b/.test(asked)
}

/** Every value that a field of that name has in an answer. */
function valuesOf(answer: unknown, name: string): unknown[] {
  if (answer === null || typeof answer !== 'object') return []
  return Object.entries(answer).flatMap(([key, value]) => [...(key === name ? [value] : []), ...valuesOf(value, name)])
}

/** Whether it is null, or nothing but nulls is in it. */
function isNothing(value: unknown): boolean {
  if (value === null) return true
  return typeof value === 'object' && Object.values(value as object).every(isNothing)
}

async function firstOf(
  subject: Subject,
  by: GraphQLClient,
  document: TypedDocumentNode<Answer, Record<string, unknown>>
): Promise<{ data: Answer | null; errors?: GraphQLErrorShape[] }> {
  const events = by.subscribe(document, {})
  const conversationId = await subject.id('conversation')
  let typing = false
  // What is not stored is told only to those who listen already, and when that is, is not seen from outside.
  const stirring = setInterval(() => {
    typing = !typing
    void subject.bystander.execute(SetTypingDocument, { conversationId, typing })
  }, 50)
  try {
    const refused = events.ended.then((errors) => ({ data: null, ...(errors && { errors }) }))
    return await Promise.race([
      refused,
      events.next().then(
        (data) => ({ data }),
        () => refused
      )
    ])
  } finally {
    clearInterval(stirring)
    events.stop()
  }
}

function codeOf(errors: GraphQLErrorShape[]): string {
  const codes = new Set(
    errors.map(({ message, extensions: { code } }) =>
      code === 'SOCKET' ? (/^\d+/.exec(message)?.[0] ?? message) : code
    )
  )
  return [...codes].join(' and ')
}

function rootTypeOf(asked: string): 'query' | 'mutation' | 'subscription' {
  const name = /^\w+/.exec(asked)?.[0] ?? ''
  if (schema.getMutationType()?.getFields()[name]) return 'mutation'
  return schema.getSubscriptionType()?.getFields()[name] ? 'subscription' : 'query'
}

function documentOf(asked: string): TypedDocumentNode<Answer, Record<string, unknown>> {
  return parse(`${rootTypeOf(asked)} { ${asked} }`)
}

async function filledIn(subject: Subject, asked: string): Promise<string> {
  let text = asked
  for (const [variable, name] of asked.matchAll(/\$(\w+)/g))
    text = text.replace(variable, JSON.stringify(await subject.id(name ?? '')))
  return text
}

/** Every field that a document selects, as `Type.field`. */
function selectedIn(document: TypedDocumentNode): string[] {
  const typeInfo = new TypeInfo(schema)
  const selected: string[] = []
  const enter = ({ name }: { name: { value: string } }) => {
    selected.push(`${typeInfo.getParentType()?.name}.${name.value}`)
  }
  visit(document, visitWithTypeInfo(typeInfo, { Field: { enter } }))
  return selected
}

/** All that is listed as shown with its parent, and what lies under it; no type within itself. */
function selectionOf(output: GraphQLOutputType, within: readonly string[]): string {
  const type = getNamedType(output)
  if (!isObjectType(type)) return ''
  const listed = AS_THEIR_PARENT[type.name]?.split(' ') ?? []
  const selected = Object.values(type.getFields()).flatMap((field) => {
    const inner = getNamedType(field.type)
    if (isLeafType(inner)) return listed.includes(field.name) ? [field.name] : []
    if (within.includes(inner.name)) return []
    const page = field.args.some(({ name }) => name === 'first') ? '(first: 3)' : ''
    const selection = selectionOf(field.type, [...within, type.name])
    return selection ? [`${field.name}${page} ${selection}`] : []
  })
  return selected.length > 0 ? `{ ${selected.join(' ')} }` : ''
}
