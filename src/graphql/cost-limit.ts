import {
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNullableType,
  getOperationAST,
  isListType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  ValidationContext,
  visit
} from 'graphql'
// The other build of it brings a second copy of graphql, which does not know the schema of the first.
import {
  type ComplexityEstimator,
  type ComplexityEstimatorArgs,
  createComplexityRule
} from 'graphql-query-complexity/cjs'
import { LRUCache } from 'lru-cache'
import { BadUserInput, QueryTooComplex } from '../errors.js'
import type { QueryLimits } from '../query-limits.js'
import { IntrospectionCost } from './introspection-cost.js'
import { MAX_PAGE } from './page-size.js'
import { requireFittingVariables } from './variable-values.js'

/** Items that a list is taken to have which comes whole, and does not grow: master keys. */
export const WHOLE_LIST_ITEMS = 20

/** Costs kept of one operation, for so many different page sizes. */
const MAX_KNOWN = 100

/** Of one operation: the variables that its cost depends on, and what it came to for values of them. */
interface Known {
  variables: readonly string[]
  costs: LRUCache<string, number>
}

/**
 * Bounds what an operation costs with its variables:
 *
 *     cost of a field = its weight + items × costs of the fields below it
 *
 * The weight is the field's `complexity`, or 1. Items are the page size of a field with `first` or `last`, or its
 * `itemsWithoutSize`, {@link WHOLE_LIST_ITEMS} of another list, and 1 else, also for the `edges` and `nodes` of a page.
 * `__typename` costs nothing, nor does what `@skip` and `@include` leave out; an item of a page costs 1 at the least. What is asked of the schema: see introspection-cost.ts.
 */
export class CostLimit {
  readonly #max: number
  readonly #maxValues: number
  readonly #known = new WeakMap<OperationDefinitionNode, Known>()

  constructor({ cost, values }: Pick<QueryLimits, 'cost' | 'values'>) {
    this.#max = cost
    this.#maxValues = values
  }

  /**
   * @param args of a document that is valid, and within the limits for documents
   * @throws QueryTooComplex for the cost, for a page size, or for too many values
   * @throws BadUserInput for a page without a size
   * @throws GraphQLError for variables that do not fit
   */
  check(args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>): void {
    const operation = getOperationAST(args.document, args.operationName)
    // Execution finds that out as well, and has the words for it.
    if (!operation) return
    const variables = args.variableValues ?? {}
    requireFittingVariables(args.schema, operation, variables, this.#maxValues)
    const cost = this.#costOf(args, operation, variables)
    if (cost > this.#max) throw new QueryTooComplex('cost', this.#max, cost)
  }

  #costOf(
    { schema, document }: { schema: GraphQLSchema; document: DocumentNode },
    operation: OperationDefinitionNode,
    variables: Record<string, unknown>
  ): number {
    let known = this.#known.get(operation)
    if (!known) {
      known = { variables: costingVariables(document), costs: new LRUCache({ max: MAX_KNOWN }) }
      this.#known.set(operation, known)
    }
    const key = keyOf(known.variables, variables)
    const kept = key === null ? undefined : known.costs.get(key)
    if (kept !== undefined) return kept
    const { cost, fits } = costWith(schema, document, operation, variables)
    if (key !== null && fits) known.costs.set(key, cost)
    return cost
  }
}

/** Variables in the place of a page size, or of a condition. */
function costingVariables(document: DocumentNode): string[] {
  const names = new Set<string>()
  visit(document, {
    Argument({ name, value }) {
      if (value.kind === Kind.VARIABLE && ['first', 'last', 'if'].includes(name.value)) names.add(value.name.value)
    }
  })
  return [...names]
}

/** @returns null for values that are none of a page size or condition */
function keyOf(names: readonly string[], variables: Record<string, unknown>): string | null {
  const values = names.map((name) => variables[name])
  if (values.some((value) => typeof value === 'object' && value !== null)) return null
  return values.map((value) => `${typeof value} ${value}`).join(',')
}

/**
 * What does not fit is left out, as it is not executed either: a field whose arguments do not, or everything when it is
 * the variables. The same page sizes may then cost more with other variables.
 */
function costWith(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>
): { cost: number; fits: boolean } {
  let fits = true
  const context = new ValidationContext(schema, document, new TypeInfo(schema), () => {
    fits = false
  })
  const rule = createComplexityRule({
    // What it is compared with, and how far it is counted, is decided elsewhere.
    maximumComplexity: Number.POSITIVE_INFINITY,
    maxQueryNodes: Number.POSITIVE_INFINITY,
    estimators: [costOfIntrospection(schema, document), costOfField],
    variables
  })(context)
  rule.onOperationDefinitionEnter(operation)
  return { cost: rule.complexity, fits }
}

/** @returns how to reckon what is asked of the schema, and nothing for any other field */
function costOfIntrospection(schema: GraphQLSchema, { definitions }: DocumentNode): ComplexityEstimator {
  const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
  const cost = new IntrospectionCost(schema, new Map(fragments.map((fragment) => [fragment.name.value, fragment])))
  return ({ field, node }) => (field.name.startsWith('__') ? cost.of(node) : undefined)
}

function costOfField({ type, field, args, childComplexity }: ComplexityEstimatorArgs): number {
  const weight = field.extensions.complexity
  return (typeof weight === 'number' ? weight : 1) + costOfItems(type, field, args, childComplexity)
}

function costOfItems(
  parent: GraphQLCompositeType,
  field: GraphQLField<unknown, unknown>,
  args: Record<string, unknown>,
  costOfOne: number
): number {
  const sizes = field.args.filter(({ name }) => name === 'first' || name === 'last')
  // The items of a page are read, whatever is selected of them.
  if (sizes.length > 0) return pageSize(field, sizes, args) * Math.max(1, costOfOne)
  const isPart = !isUnionType(parent) && 'pageInfo' in parent.getFields()
  return (isListType(getNullableType(field.type)) && !isPart ? WHOLE_LIST_ITEMS : 1) * costOfOne
}

function pageSize(
  { extensions }: GraphQLField<unknown, unknown>,
  sizes: GraphQLField<unknown, unknown>['args'],
  args: Record<string, unknown>
): number {
  const given = sizes.filter(({ name }) => typeof args[name] === 'number')
  for (const { name } of given) {
    if (Number(args[name]) > MAX_PAGE) throw new QueryTooComplex('pageSize', MAX_PAGE, Number(args[name]), name)
  }
  // Null is as good as nothing, for which there may be a default.
  const items =
    given.length > 0
      ? given.map(({ name }) => args[name])
      : [extensions.itemsWithoutSize, ...sizes.map(({ defaultValue }) => defaultValue)]
  const largest = Math.max(...items.map((size) => Number(size ?? Number.NEGATIVE_INFINITY)))
  if (largest === Number.NEGATIVE_INFINITY) throw new BadUserInput('first', 'Give either first or last.')
  return Math.max(0, largest)
}
