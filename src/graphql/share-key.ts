import {
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo
} from 'graphql'

/**
 * Marks a field that every member gets alike who sees the same of a conversation's history, whatever else they may do.
 * A subscription to such fields only is executed once for all who have subscribed to the same.
 */
export const SAME_FOR_ALL = { sameForAll: true }

/** What is selected, without the arguments of the subscription itself; and the variables that it depends on. */
interface Shared {
  text: string
  variables: readonly string[]
}

const known = new WeakMap<DocumentNode, Shared | null>()

/** @returns what is equal for operations with equal results; null where somebody else's result may be another */
export function shareKeyOf({ schema, document, operationName, variableValues }: ExecutionArgs): string | null {
  let shared = known.get(document)
  if (shared === undefined) {
    shared = analyse(schema, document)
    known.set(document, shared)
  }
  if (!shared) return null
  // Null is not the same as nothing, for which there may be a default.
  const values = Object.fromEntries(shared.variables.map((name) => [name, variableValues?.[name]]))
  return JSON.stringify([shared.text, operationName ?? null, values])
}

function analyse(schema: GraphQLSchema, document: DocumentNode): Shared | null {
  const typeInfo = new TypeInfo(schema)
  const variables = new Set<string>()
  let isSame = true
  const selected = visit(
    document,
    visitWithTypeInfo(typeInfo, {
      VariableDefinition: () => false,
      Variable: ({ name }) => void variables.add(name.value),
      Field(node) {
        const isMarked = typeInfo.getFieldDef()?.extensions.sameForAll === true
        if (!isMarked && node.name.value !== '__typename') isSame = false
        // Where in the log a subscription begins makes no difference to what an event is.
        return typeInfo.getParentType() === schema.getSubscriptionType() ? { ...node, arguments: [] } : undefined
      }
    })
  )
  return isSame ? { text: print(selected), variables: [...variables] } : null
}
