import 'graphiql/setup-workers/vite'
import 'graphiql/style.css'
import './graphiql.css'
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql'
import type { GraphQLSchema } from 'graphql'
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { READY_OPERATIONS } from './documents.js'
import { fetcher } from './fetcher.js'
import { OPERATIONS_PLUGIN } from './operations-plugin.js'
import { TokenBar } from './token-bar.js'

const PLUGINS = [OPERATIONS_PLUGIN, HISTORY_PLUGIN]
const FIRST = READY_OPERATIONS.find(({ name }) => name === 'Viewer')

function Page() {
  const [canSignIn, setCanSignIn] = useState(false)
  const onSchemaChange = (schema: GraphQLSchema) =>
    setCanSignIn(schema.getMutationType()?.getFields().devToken !== undefined)
  return (
    <>
      <TokenBar canSignIn={canSignIn} />
      <GraphiQL
        fetcher={fetcher}
        onSchemaChange={onSchemaChange}
        plugins={PLUGINS}
        visiblePlugin={OPERATIONS_PLUGIN}
        defaultTabs={[{ query: FIRST?.text ?? '' }]}
        // What was typed and answered is gone with the window, as the token is.
        storage={sessionStorage}
      />
    </>
  )
}

const root = document.querySelector('#root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Page />
    </StrictMode>
  )
}
