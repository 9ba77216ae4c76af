import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  Kind,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef
} from 'graphql'

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>
const SCHEMA = getNamedType(SchemaMetaFieldDef.type) as GraphQLObjectType
const TYPE = getNamedType(TypeMetaFieldDef.type) as GraphQLObjectType
/** Deprecated fields, arguments and values are counted, whether they are asked for or not. */
const WITH_ALL = { includeDeprecated: true }

/** Types, fields and the like that a selection is asked of, with how often each comes up. */
type Asked = ReadonlyMap<object, number>

/**
 * What the selections below `__schema` or `__type` cost: 1 for each field of the answer. They are counted by walking the
 * schema as execution does, but once for each of its parts, however often that comes up. Conditions leave nothing out, and
 * a `__type` costs as much as the same of all types: which one it is may be in a variable.
 */
export class IntrospectionCost {
  readonly #schema: GraphQLSchema
  readonly #fragments: Fragments
  readonly #whole: Asked
  /** What there is below a field of these, which may be selected under many aliases. */
  readonly #below = new WeakMap<Asked, Map<string, Asked>>()

  constructor(schema: GraphQLSchema, fragments: Fragments) {
    this.#schema = schema
    this.#whole = new Map([[schema, 1]])
    this.#fragments = fragments
  }

  /** @param node `__schema` or `__type`; any other such field costs nothing */
  of({ name, selectionSet }: FieldNode): number {
    if (!selectionSet) return 0
    if (name.value === SchemaMetaFieldDef.name) return 1 + this.#costOf(selectionSet, SCHEMA, this.#whole)
    return 1 + this.#costOf(selectionSet, TYPE, this.#allBelow('types', SCHEMA, this.#whole))
  }

  #costOf({ selections }: SelectionSetNode, type: GraphQLObjectType, asked: Asked): number {
    let times = 0
    for (const count of asked.values()) times += count
    // Nobody is asked anything.
    if (times === 0) return 0
    let cost = 0
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        cost += times
        const below = getNamedType(type.getFields()[selection.name.value]?.type)
        if (!selection.selectionSet || !isObjectType(below)) continue
        cost += this.#costOf(selection.selectionSet, below, this.#allBelow(selection.name.value, type, asked))
      } else {
        const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection
        if (fragment) cost += this.#costOf(fragment.selectionSet, type, asked)
      }
    }
    return cost
  }

  #allBelow(field: string, type: GraphQLObjectType, asked: Asked): Asked {
    const known = this.#below.get(asked) ?? new Map<string, Asked>()
    this.#below.set(asked, known)
    const below = known.get(field) ?? this.#resolved(field, type, asked)
    known.set(field, below)
    return below
  }

  #resolved(field: string, type: GraphQLObjectType, asked: Asked): Asked {
    const resolve = type.getFields()[field]?.resolve
    const below = new Map<object, number>()
    for (const [source, count] of asked) {
      const result: unknown = resolve?.(source, WITH_ALL, undefined, { schema: this.#schema } as GraphQLResolveInfo)
      for (const item of Array.isArray(result) ? result : [result]) {
        if (typeof item === 'object' && item !== null) below.set(item, (below.get(item) ?? 0) + count)
      }
    }
    return below
  }
}
