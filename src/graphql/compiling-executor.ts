import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLField,
  type GraphQLInputObjectType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLType,
  getNamedType,
  getOperationAST,
  isInputObjectType,
  isNonNullType,
  isObjectType,
  Kind,
  type NamedTypeNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST
} from 'graphql'
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit'

/**
 * Fields of one operation, with its fragments written out, which is how they are compiled: it bounds the code, and how
 * long compiling holds the event loop, which is 50 to 70 µs for each.
 */
const MAX_FIELDS = 200

/** Executes queries and mutations. */
export interface Executor {
  execute(args: ExecutionArgs): Promise<ExecutionResult>
}

/** For a process in which no code is made from text. */
export const plainExecutor: Executor = { execute: async (args) => await execute(args) }

/**
 * Executes queries and mutations; those that come again in code made for them by graphql-jit. What that does otherwise
 * than the reference implementation is left to the latter: abstract types, directives, inputs
 * that contain themselves (which would be compiled without end), defaults of variables and of
 * arguments that must not be null, and the words for variables that do not fit. Beside a field that became null, compiled code may report more errors.
 */
export class CompilingExecutor implements Executor {
  /** Kept for as long as their documents are. Null: not to be compiled. */
  readonly #compiled = new WeakMap<OperationDefinitionNode, CompiledQuery | null>()
  /** Came once. Documents that are not kept never come again, and cost no compilation. */
  readonly #seen = new WeakSet<OperationDefinitionNode>()

  async execute(args: ExecutionArgs): Promise<ExecutionResult> {
    const operation = getOperationAST(args.document, args.operationName)
    const compiled = operation && this.#compiledOf(args, operation)
    if (!compiled) return await execute(args)
    const result: ExecutionResult = await compiled.query(args.rootValue, args.contextValue, args.variableValues)
    // Nothing was executed: the variables do not fit.
    return result.data === undefined ? await execute(args) : result
  }

  #compiledOf({ schema, document }: ExecutionArgs, operation: OperationDefinitionNode): CompiledQuery | null {
    const known = this.#compiled.get(operation)
    if (known !== undefined) return known
    if (!this.#seen.has(operation)) {
      this.#seen.add(operation)
      return null
    }
    const compiled = isCompilable(schema, document, operation)
      ? compileQuery(schema, document, operation.name?.value)
      : null
    const usable = compiled && isCompiledQuery(compiled) ? compiled : null
    this.#compiled.set(operation, usable)
    return usable
  }
}

function isCompilable(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const type = schema.getRootType(operation.operation)
  const hasDefaults = operation.variableDefinitions?.some(({ defaultValue }) => defaultValue)
  const isRecursive = operation.variableDefinitions?.some((definition) => {
    const input = typeFromAST(schema, definition.type as NamedTypeNode)
    return input && containsItself(input)
  })
  if (!type || operation.operation === 'subscription' || operation.directives?.length) return false
  if (hasDefaults || isRecursive) return false
  return new FieldCount(document).of(type, operation.selectionSet) <= MAX_FIELDS
}

/** Counts fields with their fragments written out; infinitely many where something is not to be compiled. */
class FieldCount {
  readonly #document: DocumentNode
  /** Each fragment is walked once, however often it is spread. */
  readonly #ofFragments = new Map<string, number>()

  constructor(document: DocumentNode) {
    this.#document = document
  }

  of(type: GraphQLObjectType, { selections }: SelectionSetNode): number {
    return selections.reduce((sum, selection) => sum + this.#ofSelection(type, selection), 0)
  }

  #ofSelection(type: GraphQLObjectType, selection: SelectionNode): number {
    if (selection.directives?.length) return Number.POSITIVE_INFINITY
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.#ofFragment(type, selection.name.value)
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const isOfType = (selection.typeCondition?.name.value ?? type.name) === type.name
      return isOfType ? this.of(type, selection.selectionSet) : Number.POSITIVE_INFINITY
    }
    if (selection.name.value === '__typename') return 1
    const field = type.getFields()[selection.name.value]
    if (!field || hasRequiredDefault(field)) return Number.POSITIVE_INFINITY
    if (!selection.selectionSet) return 1
    const named = getNamedType(field.type)
    return isObjectType(named) ? 1 + this.of(named, selection.selectionSet) : Number.POSITIVE_INFINITY
  }

  #ofFragment(type: GraphQLObjectType, name: string): number {
    const known = this.#ofFragments.get(name)
    if (known !== undefined) return known
    const fragment = this.#document.definitions.find(
      (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name
    )
    const isOfType = fragment?.kind === Kind.FRAGMENT_DEFINITION && fragment.typeCondition.name.value === type.name
    const count = isOfType ? this.of(type, fragment.selectionSet) : Number.POSITIVE_INFINITY
    this.#ofFragments.set(name, count)
    return count
  }
}

/** Compiled code lets a variable that is null through to such an argument. */
function hasRequiredDefault({ args }: GraphQLField<unknown, unknown>): boolean {
  return args.some(({ type, defaultValue }) => isNonNullType(type) && defaultValue !== undefined)
}

function containsItself(type: GraphQLType, within: GraphQLInputObjectType[] = []): boolean {
  const named = getNamedType(type)
  if (!isInputObjectType(named)) return false
  if (within.includes(named)) return true
  return Object.values(named.getFields()).some((field) => containsItself(field.type, [...within, named]))
}
