import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from '@graphiql/react'
import { READY_OPERATIONS } from './documents.js'
import type { ReadyOperation } from './ready-operations.js'

const GROUPS = Map.groupBy(READY_OPERATIONS, ({ group }) => group)

/** The ready operations beside the editor: each opens in a tab of its own. */
export const OPERATIONS_PLUGIN: GraphiQLPlugin = {
  title: 'Ready operations',
  icon: () => (
    <svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.5">
      <path d="M2 4h2M2 8h2M2 12h2M6.5 4H14M6.5 8H14M6.5 12H14" strokeLinecap="round" />
    </svg>
  ),
  content: ReadyOperations
}

function ReadyOperations() {
  const { addTab } = useGraphiQLActions()
  const queryEditor = useGraphiQL((state) => state.queryEditor)
  const variableEditor = useGraphiQL((state) => state.variableEditor)
  const open = ({ text, variables }: ReadyOperation) => {
    addTab()
    queryEditor?.setValue(text)
    variableEditor?.setValue(variables)
  }
  return (
    <section aria-label="Ready operations" className="ready-operations">
      <h2>Ready operations</h2>
      {[...GROUPS].map(([group, operations]) => (
        <section key={group} aria-label={group}>
          <h3>{group}</h3>
          <ul>
            {operations.map((operation) => (
              <li key={operation.name}>
                <button type="button" onClick={() => open(operation)}>
                  {operation.name} <span>{operation.kind}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </section>
  )
}
