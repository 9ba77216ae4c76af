import {
  coerceInputValue,
  GraphQLError,
  type GraphQLSchema,
  isInputType,
  type OperationDefinitionNode,
  typeFromAST
} from 'graphql'
import { QueryTooComplex } from '../errors.js'

type Values = Record<string, unknown>

/**
 * Refuses variables whose values are too many, or do not fit their types, at the first that does not. The engine would
 * go on to the last, and write the whole value out for each that is wrong: a request could have gigabytes written.
 * What is missing is left to it: of that there is one for each variable, and nothing to write out.
 *
 * @param max values, those within others included
 * @throws QueryTooComplex
 * @throws GraphQLError in the engine's words, without the value
 */
export function requireFittingVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  variables: Values,
  max: number
): void {
  requireFew(variables, max)
  for (const definition of operation.variableDefinitions ?? []) {
    const { variable, type: node } = definition
    const name = variable.name.value
    const value = variables[name]
    const type = typeFromAST(schema, node as Parameters<typeof typeFromAST>[1])
    if (value === undefined || value === null || !isInputType(type)) continue
    coerceInputValue(value, type, (path, _, error) => {
      const place = path.length > 0 ? ` at "${name}${path.map(step).join('')}"` : ''
      throw new GraphQLError(`Variable "$${name}" got invalid value …${place}; ${error.message}`, { nodes: definition })
    })
  }
}

function step(key: string | number): string {
  return typeof key === 'number' ? `[${key}]` : `.${key}`
}

function requireFew(variables: Values, max: number): void {
  let found = 0
  const containers: Values[] = [variables]
  for (let container = containers.pop(); container; container = containers.pop()) {
    // Of thousands of members the names alone take half as long as the values.
    for (const name in container) {
      if (++found > max) throw new QueryTooComplex('values', max, found)
      const value = container[name]
      if (typeof value === 'object' && value !== null) containers.push(value as Values)
    }
  }
}
