import { type DefinitionNode, type FragmentDefinitionNode, Kind, parse, type TypeNode, visit } from 'graphql'

/** An operation of documents/, as it can be run: with the fragments that it needs. */
export interface ReadyOperation {
  name: string
  kind: 'query' | 'mutation' | 'subscription'
  /** Name of its file, without the ending. */
  group: string
  text: string
  /** JSON of the variables that it cannot do without, to be filled in; empty where there are none. */
  variables: string
}

/** @param texts of documents by path; fragments of one are there for all */
export function readyOperations(texts: Record<string, string>): ReadyOperation[] {
  const definitions = Object.entries(texts).flatMap(([path, text]) =>
    parse(text).definitions.map((node) => ({ node, group: path.replace(/^.*\/|\.graphql$/g, '') }))
  )
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const { node } of definitions) if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node)
  return definitions.flatMap(({ node, group }) => {
    if (node.kind !== Kind.OPERATION_DEFINITION) return []
    const needed = fragmentsOf(node, fragments)
    const required = node.variableDefinitions?.filter(({ type }) => type.kind === Kind.NON_NULL_TYPE) ?? []
    const variables = required.map(({ variable, type }) => [variable.name.value, placeholder(type)] as const)
    return {
      name: node.name?.value ?? group,
      kind: node.operation,
      group,
      text: `${[node, ...needed].map(sourceOf).join('\n\n')}\n`,
      variables: variables.length > 0 ? JSON.stringify(Object.fromEntries(variables), null, 2) : ''
    }
  })
}

/** Those that a definition spreads, and those that they do, each once. */
function fragmentsOf(
  node: DefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  found = new Set<FragmentDefinitionNode>()
): Set<FragmentDefinitionNode> {
  visit(node, {
    FragmentSpread({ name }) {
      const fragment = fragments.get(name.value)
      if (!fragment || found.has(fragment)) return
      found.add(fragment)
      fragmentsOf(fragment, fragments, found)
    }
  })
  return found
}

/** As it is written in its file. */
function sourceOf({ loc }: DefinitionNode): string {
  return loc ? loc.source.body.slice(loc.start, loc.end) : ''
}

const PLACEHOLDERS: Record<string, unknown> = { Int: 1, Float: 1, Boolean: true, Duration: 'P7D' }

function placeholder(type: TypeNode): unknown {
  if (type.kind === Kind.NON_NULL_TYPE) return placeholder(type.type)
  if (type.kind === Kind.LIST_TYPE) return [placeholder(type.type)]
  const name = type.name.value
  return name.endsWith('Input') ? {} : (PLACEHOLDERS[name] ?? '')
}
