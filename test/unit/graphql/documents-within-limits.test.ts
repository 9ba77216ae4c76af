import { readdirSync, readFileSync } from 'node:fs'
import { getIntrospectionQuery, Kind, type OperationDefinitionNode, parse, print } from 'graphql'
import { describe, it } from 'vitest'
import { CostLimit } from '../../../src/graphql/cost-limit.js'
import { DocumentStore } from '../../../src/graphql/document-store.js'
import { createSchema } from '../../../src/graphql/schema.js'
import { queryLimits } from '../../support/query-limits.js'

/** What clients send has room within the limits, even where they ask for the largest pages. */

const FOLDER = new URL('../../../documents/', import.meta.url)
const LARGEST_PAGE = 200

const schema = createSchema({ devToken: true })
const definitions = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.graphql'))
  .flatMap((name) => parse(readFileSync(new URL(name, FOLDER), 'utf8')).definitions)
const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)

/** Holds it to the limits as they are where nothing is configured; in production where it is not for the schema. */
function letThrough(text: string, mode: 'development' | 'production', variables: Record<string, unknown> = {}): void {
  const limits = { ...queryLimits, ...(mode === 'production' ? { operations: 1 } : {}) }
  const document = new DocumentStore().prepare(schema, { mode, introspection: null, queryLimits: limits }, text)
  if ('length' in document) throw document[0]
  new CostLimit(limits).check({ schema, document, variableValues: variables })
}

/** An operation with the fragments that it uses, as clients send it. */
function textOf(operation: OperationDefinitionNode): string {
  const used = new Set<(typeof fragments)[number]>()
  const use = (text: string) => {
    for (const fragment of fragments) {
      if (used.has(fragment) || !text.includes(`...${fragment.name.value}`)) continue
      used.add(fragment)
      use(print(fragment))
    }
  }
  use(print(operation))
  return [operation, ...used].map(print).join('\n')
}

function largestPages({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, unknown> {
  const names = variableDefinitions.map(({ variable }) => variable.name.value)
  const size = names.includes('last') ? 'last' : 'first'
  return names.includes(size) ? { [size]: LARGEST_PAGE } : {}
}

describe('an operation of documents/', () => {
  it.each(operations.map((operation) => [operation.name?.value, operation] as const))(
    '%s is let through',
    (_, operation) => {
      const required = Object.fromEntries(
        (operation.variableDefinitions ?? [])
          .filter(({ type }) => type.kind === Kind.NON_NULL_TYPE)
          .map(({ variable, type }) => [variable.name.value, exampleOf(print(type))])
      )
      letThrough(textOf(operation), 'production', { ...required, ...largestPages(operation) })
    }
  )
})

describe('a question for the schema', () => {
  const everything = {
    ...{ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, oneOf: true },
    ...{ inputValueDeprecation: true, experimentalDirectiveDeprecation: true }
  }
  it.each([
    ['in short', '{ __schema { queryType { name } } }'],
    ['as explorers ask it', getIntrospectionQuery()],
    ['as explorers ask it that want everything', getIntrospectionQuery(everything)]
  ])('%s is let through in development', (_, text) => {
    letThrough(text, 'development')
  })
})

function exampleOf(type: string): unknown {
  const examples: Record<string, unknown> = {
    'ID!': 'x',
    'String!': 'x',
    'Int!': 1,
    'Boolean!': true,
    'Duration!': 'P7D',
    'MemberRole!': 'MEMBER',
    '[ID!]!': ['x'],
    'CreateConversationInput!': { memberIds: ['x'] },
    'SendMessageInput!': { conversationId: 'x', body: 'x' },
    'KeyPolicyInput!': {}
  }
  if (!(type in examples)) throw new Error(`an example of ${type} is missing`)
  return examples[type]
}
