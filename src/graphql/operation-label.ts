import {
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode
} from 'graphql'

/** Of what was refused before it was known which operation it is. */
export const UNKNOWN_OPERATION = 'unknown'
const SEVERAL = 'several'
const INTROSPECTION = 'introspection'

/** Kept for as long as the documents are. */
const labels = new WeakMap<OperationDefinitionNode, string>()

/**
 * What an operation is called in metrics and traces: by the field of the schema that it asks for. The name that a client
 * gives its operation may be any text, and there would be as many of them as clients like.
 *
 * @param document valid for the schema
 */
export function operationLabel({
  schema,
  document,
  operationName
}: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName'>): string {
  const operation = getOperationAST(document, operationName)
  if (!operation) return UNKNOWN_OPERATION
  const known = labels.get(operation)
  if (known !== undefined) return known
  const label = labelOf(schema, document, operation)
  labels.set(operation, label)
  return label
}

function labelOf(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): string {
  const fields = schema.getRootType(operation.operation)?.getFields() ?? {}
  const names = rootFields(document, operation.selectionSet.selections).filter((name) => Object.hasOwn(fields, name))
  const [first, ...more] = new Set(names)
  return first === undefined ? INTROSPECTION : more.length > 0 ? SEVERAL : first
}

/** In a valid document no fragment holds itself. */
function rootFields(document: DocumentNode, selections: readonly SelectionNode[]): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value]
    if (selection.kind === Kind.INLINE_FRAGMENT) return rootFields(document, selection.selectionSet.selections)
    const fragment = document.definitions.find(
      (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value
    )
    return fragment?.kind === Kind.FRAGMENT_DEFINITION ? rootFields(document, fragment.selectionSet.selections) : []
  })
}
