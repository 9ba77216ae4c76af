import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument
} from 'graphql'

/** A field of a type, and the type below it that the path goes on with. */
export interface Step {
  parent: GraphQLObjectType
  field: GraphQLField<unknown, unknown>
  /** Null for a leaf. */
  type: GraphQLObjectType | null
}

/** `Type.field`, as the schema coordinates of GraphQL have it. */
export const coordinateOf = ({ parent, field }: Step): string => `${parent.name}.${field.name}`

export const isListField = ({ field }: Step): boolean => isListType(getNullableType(field.type))

/** Every way from a query to a list, which passes no type twice. */
export function listPaths(schema: GraphQLSchema): Step[][] {
  const query = schema.getQueryType()
  return query ? pathsFrom(schema, query, []) : []
}

function pathsFrom(schema: GraphQLSchema, parent: GraphQLObjectType, before: Step[]): Step[][] {
  return stepsOf(schema, parent).flatMap((step) => {
    const path = [...before, step]
    const own = isListField(step) ? [path] : []
    const isNew = step.type !== null && !before.some(({ type }) => type === step.type) && step.type !== parent
    return step.type && isNew ? [...own, ...pathsFrom(schema, step.type, path)] : own
  })
}

/** Coordinates of all fields that answer with a list, of whatever type. */
export function listFields(schema: GraphQLSchema): string[] {
  const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__'))
  return types
    .flatMap((type) => stepsOf(schema, type as GraphQLObjectType))
    .filter(isListField)
    .map(coordinateOf)
}

function stepsOf(schema: GraphQLSchema, parent: GraphQLObjectType): Step[] {
  return Object.values(parent.getFields()).flatMap((field): Step[] => {
    const type = getNamedType(field.type)
    if (isAbstractType(type)) return schema.getPossibleTypes(type).map((type) => ({ parent, field, type }))
    return [{ parent, field, type: isObjectType(type) ? type : null }]
  })
}

/**
 * A query along a path. Of what is in the list it selects every field that is not a list itself, and of objects
 * in those again.
 *
 * @param argumentsOf the arguments of a field, in parentheses; undefined where it is given none
 */
export function queryAlong(
  schema: GraphQLSchema,
  path: readonly Step[],
  argumentsOf: (coordinate: string) => string | undefined
): string {
  const last = path.at(-1)
  const isEdge = last?.type?.name.endsWith('Edge') ?? false
  const item = last?.type ? everyField(schema, last.type, isEdge ? 2 : 1) : ''
  return path.reduceRight((selection, step) => {
    const given = argumentsOf(coordinateOf(step)) ?? ''
    if (given === '' && step.field.args.some((arg) => isRequiredArgument(arg))) {
      throw new Error(`name the arguments of ${coordinateOf(step)}`)
    }
    const isAbstract = isAbstractType(getNamedType(step.field.type))
    const below = isAbstract ? `{ ... on ${step.type?.name} ${selection} }` : selection
    return `{ ${step.field.name}${given} ${below} }`
  }, item)
}

function everyField(schema: GraphQLSchema, type: GraphQLObjectType, depth: number): string {
  const fields = stepsOf(schema, type).flatMap((step) => {
    if (isListField(step)) return []
    if (isLeafType(getNamedType(step.field.type))) return [step.field.name]
    return depth > 0 && step.type && step.field.args.length === 0
      ? [`${step.field.name} ${everyField(schema, step.type, depth - 1)}`]
      : []
  })
  return fields.length > 0 ? `{ ${fields.join(' ')} }` : '{ __typename }'
}
