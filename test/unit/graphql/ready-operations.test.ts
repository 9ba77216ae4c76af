import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSchema, Kind, type OperationDefinitionNode, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { readyOperations } from '../../../web/explorers/ready-operations.js'

const project = join(import.meta.dirname, '../../..')
const schema = buildSchema(readFileSync(join(project, 'schema.graphql'), 'utf8'))
const names = readdirSync(join(project, 'documents')).filter((name) => name.endsWith('.graphql'))
const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(project, 'documents', name), 'utf8')]))
const operations = readyOperations(texts)

describe('a ready operation', () => {
  it.each(operations)('$group: $name stands for itself, with every fragment that it needs', ({ text, name, kind }) => {
    const document = parse(text)
    expect(validate(schema, document)).toEqual([])
    const [operation] = document.definitions as [OperationDefinitionNode]
    expect([operation.name?.value, operation.operation]).toEqual([name, kind])
  })

  it.each(operations)('$group: $name comes with the variables that it cannot do without', ({ text, variables }) => {
    const [operation] = parse(text).definitions as [OperationDefinitionNode]
    const required = operation.variableDefinitions?.filter(({ type }) => type.kind === Kind.NON_NULL_TYPE) ?? []
    const names = required.map(({ variable }) => variable.name.value)
    expect(Object.keys(JSON.parse(variables || '{}'))).toEqual(names)
  })

  it('takes fragments of fragments, and one that contains itself, once', () => {
    const [operation] = readyOperations({
      'a.graphql': 'query A { ...One }',
      'b.graphql': 'fragment One on T { x ...Two }\nfragment Two on T { y ...One }'
    })
    expect(operation?.text.match(/fragment \w+/g)).toEqual(['fragment One', 'fragment Two'])
  })
})
