import {
  buildClientSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  getNullableType,
  type IntrospectionQuery,
  isAbstractType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument
} from 'graphql'

/** A root field, as an operation of its own that selects what there is below it. */
export interface RootOperation {
  /** `Mutation.sendMessage` */
  coordinate: string
  kind: 'query' | 'mutation' | 'subscription'
  field: GraphQLField<unknown, unknown>
  /** Every argument is a variable of its name. */
  text: string
}

/** Objects below each other that are selected. */
const DEPTH = 3

/** The schema as a server gives it to its clients. */
export async function schemaOf(url: string, token: string): Promise<GraphQLSchema> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: getIntrospectionQuery() })
  })
  return buildClientSchema(((await response.json()) as { data: IntrospectionQuery }).data)
}

/** Every query, mutation and subscription that a schema has. */
export function everyOperation(schema: GraphQLSchema): RootOperation[] {
  const kinds = ['query', 'mutation', 'subscription'] as const
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
  return kinds.flatMap((kind, index) => {
    const root = roots[index]
    return Object.values(root?.getFields() ?? {}).map((field) => ({
      coordinate: `${root?.name}.${field.name}`,
      kind,
      field,
      text: operationText(schema, kind, field)
    }))
  })
}

function operationText(schema: GraphQLSchema, kind: string, field: GraphQLField<unknown, unknown>): string {
  const declared = field.args.map(({ name, type }) => `$${name}: ${type}`).join(', ')
  const passed = field.args.map(({ name }) => `${name}: $${name}`).join(', ')
  const parentheses = (text: string) => (text ? `(${text})` : '')
  const selected = selection(schema, field.type, DEPTH)
  return `${kind} Every${parentheses(declared)} { ${field.name}${parentheses(passed)} ${selected} }`
}

function selection(schema: GraphQLSchema, output: GraphQLOutputType, depth: number): string {
  const type = getNamedType(output)
  if (isLeafType(type)) return ''
  if (isAbstractType(type)) {
    const types = schema.getPossibleTypes(type)
    const parts = types.map((one) => `... on ${one.name} ${fieldsOf(schema, one, depth - 1, types)}`)
    return `{ __typename ${parts.join(' ')} }`
  }
  return isObjectType(type) ? fieldsOf(schema, type, depth) : ''
}

/** @param beside the types of a union: fields of one name that are not of one type stand under a name of their own */
function fieldsOf(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  depth: number,
  beside: readonly GraphQLObjectType[] = []
): string {
  const fields = Object.values(type.getFields()).flatMap((field) => {
    const isLeaf = isLeafType(getNamedType(field.type))
    if (!isLeaf && depth <= 1) return []
    if (field.args.some((arg) => isRequiredArgument(arg))) return []
    const isPage = field.args.some(({ name }) => name === 'first')
    if (isPage && depth < DEPTH - 1) return []
    const others = beside.map((other) => other.getFields()[field.name]?.type ?? field.type)
    const alias = others.every((other) => String(other) === String(field.type)) ? '' : `${type.name}_${field.name}: `
    return [`${alias}${field.name}${isPage ? '(first: 3)' : ''} ${selection(schema, field.type, depth - 1)}`]
  })
  return `{ __typename ${fields.join(' ')} }`
}

/** Variables of which none fits its type, each with a text in it. */
export function unfitVariables({ field }: RootOperation, text: string): Record<string, unknown> {
  return Object.fromEntries(field.args.map(({ name, type }) => [name, unfit(type, text)]))
}

function unfit(input: GraphQLInputType, text: string): unknown {
  const type = getNullableType(input)
  if (isListType(type)) return [unfit(type.ofType, text)]
  return ['String', 'ID', 'Duration'].includes(getNamedType(type).name) ? { [text]: text } : text
}

/** The operation with a text written into it for each argument: some do not fit, and the last is broken off. */
export function literalTexts({ kind, field }: RootOperation, text: string): string[] {
  return [
    ...field.args.map(({ name }) => `${kind} { ${field.name}(${name}: { a: "${text}", b: [4711, ${text}] }) }`),
    ...field.args.map(({ name }) => `${kind} { ${field.name}(${name}: "said "${text}" to him") }`),
    `${kind} { ${field.name}(no: """${text}""") { ${kind} } }`,
    `${kind} { ${field.name} "${text}`
  ]
}
