import { READY_OPERATIONS } from './documents.js'
import type { ReadyOperation } from './ready-operations.js'
import './sandbox.css'

/** What Apollo's script leaves in the window. */
interface EmbeddedSandbox {
  dispose(): void
}
declare global {
  interface Window {
    EmbeddedSandbox?: new (options: object) => EmbeddedSandbox
  }
}

/** Version 2, as Apollo Server's own landing page has it. */
const SCRIPT = 'https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js'
const HEADERS = { authorization: 'Bearer (a token: npm run -s token -- alice)' }

const select = document.querySelector('#operations') as HTMLSelectElement
for (const { name, kind, group } of READY_OPERATIONS) select.add(new Option(`${group}: ${kind} ${name}`, name))
select.value = 'Viewer'
select.addEventListener('change', show)

const script = document.createElement('script')
script.src = SCRIPT
script.addEventListener('load', show)
script.addEventListener('error', () => document.querySelector('#unreachable')?.removeAttribute('hidden'))
document.head.append(script)

let shown: EmbeddedSandbox | null = null

function show(): void {
  const operation = READY_OPERATIONS.find(({ name }) => name === select.value)
  if (!window.EmbeddedSandbox || !operation) return
  shown?.dispose()
  document.querySelector('#sandbox')?.replaceChildren()
  shown = new window.EmbeddedSandbox(optionsFor(operation))
}

/** The page makes the requests for Sandbox: they come from this server's own origin. */
function optionsFor({ text, variables }: ReadyOperation): object {
  const endpoint = new URL('/graphql', location.href)
  const socket = new URL(endpoint)
  socket.protocol = endpoint.protocol.replace('http', 'ws')
  return {
    target: '#sandbox',
    initialEndpoint: endpoint.href,
    initialSubscriptionEndpoint: socket.href,
    initialState: { document: text, variables: JSON.parse(variables || '{}'), headers: HEADERS, includeCookies: false },
    runTelemetry: false,
    allowDynamicStyles: false
  }
}
