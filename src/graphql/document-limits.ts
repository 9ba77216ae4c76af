import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode
} from 'graphql'
import { QueryTooComplex } from '../errors.js'
import type { QueryLimits } from '../query-limits.js'

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>
type Root = OperationDefinitionNode | FragmentDefinitionNode

/**
 * Holds a document that was parsed, and nothing more, to the limits. That comes before validation: some rules of the
 * specification take time with the square of what a document repeats.
 *
 * @throws QueryTooComplex
 */
export function requireWithinLimits({ definitions }: DocumentNode, limits: QueryLimits): void {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  requireAtMost(limits, 'operations', operations.length)
  const written = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
  const fragments = new Map(written.map((fragment) => [fragment.name.value, fragment]))
  const { count, unused } = countFields(operations, written, fragments)
  requireAtMost(limits, 'fields', count)
  // No larger than that with its fragments written out: it can be walked so.
  const shape = new Shape(fragments)
  for (const root of [...operations, ...unused]) shape.add(root)
  for (const limit of ['depth', 'rootFields', 'aliases', 'directives', 'repeats'] as const) {
    requireAtMost(limits, limit, shape[limit])
  }
}

function requireAtMost(limits: QueryLimits, limit: keyof QueryLimits, found: number): void {
  if (found > limits[limit]) throw new QueryTooComplex(limit, limits[limit], found)
}

/** Fragments that no operation uses are refused by validation, which looks at them all the same: they count. */
function countFields(operations: OperationDefinitionNode[], written: FragmentDefinitionNode[], fragments: Fragments) {
  const fields = new WrittenOut(fragments)
  let count = operations.reduce((sum, { selectionSet }) => sum + fields.of(selectionSet), 0)
  const unused = written.filter(({ name }) => !fields.has(name.value))
  for (const { selectionSet } of unused) count += fields.of(selectionSet)
  return { count, unused }
}

/** Counts selections with fragments written out, and walks each fragment once, however often it is spread. */
class WrittenOut {
  readonly #fragments: Fragments
  readonly #counts = new Map<string, number>()

  constructor(fragments: Fragments) {
    this.#fragments = fragments
  }

  has(fragment: string): boolean {
    return this.#counts.has(fragment)
  }

  of({ selections }: SelectionSetNode): number {
    return selections.reduce((sum, selection) => sum + 1 + this.#below(selection), 0)
  }

  #below(selection: SelectionNode): number {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.#ofFragment(selection.name.value)
    return selection.selectionSet ? this.of(selection.selectionSet) : 0
  }

  #ofFragment(name: string): number {
    const known = this.#counts.get(name)
    if (known !== undefined) return known
    // What comes upon it again, before it is counted, is within it: there is no end to it.
    this.#counts.set(name, Number.POSITIVE_INFINITY)
    const fragment = this.#fragments.get(name)
    const count = fragment ? this.of(fragment.selectionSet) : 0
    this.#counts.set(name, count)
    return count
  }
}

/** Measures operations as they are executed: fields of one response name are one field, their selections merged. */
class Shape {
  depth = 0
  rootFields = 0
  aliases = 0
  directives = 0
  repeats = 0
  readonly #fragments: Fragments

  constructor(fragments: Fragments) {
    this.#fragments = fragments
  }

  add(root: Root): void {
    this.#count(root)
    for (const variable of root.variableDefinitions ?? []) this.#count(variable)
    const fields = this.#merge([root.selectionSet])
    if (root.kind === Kind.OPERATION_DEFINITION) this.rootFields = Math.max(this.rootFields, fields.size)
    this.#walk(fields, 1)
  }

  #walk(fields: Map<string, FieldNode[]>, depth: number): void {
    this.depth = Math.max(this.depth, depth)
    for (const nodes of fields.values()) {
      this.repeats += nodes.length - 1
      const below = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
      // The schema is deep: graphql's own MaxIntrospectionDepthRule bounds what is asked of it, and its cost does.
      const isSchema = nodes[0]?.name.value.startsWith('__')
      if (below.length > 0) this.#walk(this.#merge(below), isSchema ? Number.NEGATIVE_INFINITY : depth + 1)
    }
  }

  /** Fields of these selection sets together, by the name that they have in the response. */
  #merge(sets: SelectionSetNode[]): Map<string, FieldNode[]> {
    const fields = new Map<string, FieldNode[]>()
    const spread = new Set<string>()
    const add = ({ selections }: SelectionSetNode) => {
      for (const selection of selections) {
        this.#count(selection)
        if (selection.kind === Kind.FIELD) {
          if (selection.alias) this.aliases++
          const name = (selection.alias ?? selection.name).value
          const same = fields.get(name)
          if (same) same.push(selection)
          else fields.set(name, [selection])
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          add(selection.selectionSet)
        } else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value)
          const fragment = this.#fragments.get(selection.name.value)
          if (fragment) add(fragment.selectionSet)
        }
      }
    }
    for (const set of sets) add(set)
    return fields
  }

  #count({ directives }: { readonly directives?: readonly DirectiveNode[] | undefined }): void {
    this.directives += directives?.length ?? 0
  }
}
