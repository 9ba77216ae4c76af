import { once } from 'node:events'
import { startWorker } from '../jobs/worker.js'
import { compose, releaseAll } from './compose.js'
import { type Config, loadConfig } from './config.js'
import type { Part } from './database-access.js'
import { startHttpServer } from './graphql/http-server.js'
import { startMetricsServer } from './graphql/metrics-server.js'
import { hasIntrospection } from './graphql/validation-rules.js'
import { refuseCodeFromStrings, sealIntrinsics } from './lock-down.js'
import { createLogger, logConsole } from './log.js'
import { handleProcessFaults } from './process-faults.js'
import type { Services } from './services.js'
import { startTracing } from './tracing/start-tracing.js'

/** After this long on the way out the process ends whatever is still open. */
const SHUTDOWN_MS = 10_000
const ECHO_MS = 500

/** Serves until a signal ends it, or a fault, with which the exit code becomes 1. @throws when it cannot start */
export async function serve(parts: readonly Part[]): Promise<void> {
  const config = loadConfig(process.env)
  const log = createLogger(config.logLevel)
  logConsole(log)
  const releases: (() => Promise<void>)[] = []
  // Heard from the start: a signal that comes while it is still starting ends it all the same.
  const stopping = new AbortController()
  const stopped = untilStopped(stopping)
  handleProcessFaults(log, () => stopping.abort())
  try {
    if (config.tracing) releases.push(await startTracing(config.tracing))
    const composition = await compose(config, log, { parts, signal: stopping.signal })
    releases.push(() => composition.close())
    const metricsUrl = await startWatching(config, composition.services[parts[0] ?? 'api'], releases)
    if (parts.includes('api')) {
      const server = await startHttpServer(composition.services.api)
      releases.push(() => server.close())
      console.log(welcome(config, server.url, metricsUrl, composition.databasePlace))
    } else {
      console.log(`Conclave's worker runs. Data: ${composition.databasePlace}`)
      if (metricsUrl) console.log(`Metrics: ${metricsUrl}`)
    }
    sealIntrinsics()
    if (!config.codeFromStrings) refuseCodeFromStrings()
    if (parts.includes('worker')) {
      // Last: without its queue it waits for that, and requests are served meanwhile.
      const worker = startWorker(composition.services.worker, composition.queuePlaces.worker)
      releases.push(() => worker.close())
      await Promise.race([worker.ready, stopped])
    }
    await stopped
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  } finally {
    await releaseAll(releases, log)
  }
}

/** @returns where metrics and probes have a port of their own; null where they have none */
async function startWatching(
  { metricsPort }: Config,
  services: Services,
  releases: (() => Promise<void>)[]
): Promise<string | null> {
  services.metrics.watchProcess()
  if (metricsPort === null) return null
  const server = await startMetricsServer(services, metricsPort)
  releases.push(() => server.close())
  return `${server.url}/metrics`
}

/** Settles with the first signal, or the first fault. From then on there is an end: in time, or with another signal. */
async function untilStopped(stopping: AbortController): Promise<void> {
  let heardAt: number | null = null
  const stop = () => {
    // npm passes on what the terminal has sent to the whole group: the same Ctrl-C comes twice.
    if (heardAt !== null && performance.now() - heardAt > ECHO_MS) process.exit(1)
    heardAt ??= performance.now()
    stopping.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  await once(stopping.signal, 'abort')
  setTimeout(() => process.exit(1), SHUTDOWN_MS).unref()
}

function welcome(config: Config, url: string, metricsUrl: string | null, databasePlace: string): string {
  const metrics = metricsUrl ?? (config.metricsBesideGraphql ? `${url}/metrics` : null)
  const lines = [
    'Conclave is ready.',
    '',
    `  Console    ${url}/`,
    `  GraphQL    ${url}/graphql  (HTTP)   ${url.replace('http', 'ws')}/graphql  (WebSocket)`,
    `             ${url}/graphql/stream  (Server-Sent Events)`,
    ...(hasIntrospection(config) ? [`  Explorers  ${explorersAt(url, config)}`] : []),
    `  Probes     ${url}/healthz  ${url}/readyz`,
    ...(metrics ? [`  Metrics    ${metrics}`] : []),
    `  Data       ${databasePlace}`
  ]
  if (config.mode !== 'production' && !config.authentication.jwksUrl) {
    lines.push(`  Secrets    ${config.dataDir}`, '', `Get a token:  ${tokenCommand()}`)
  }
  return `${lines.join('\n')}\n`
}

function explorersAt(url: string, { mode }: Config): string {
  return mode === 'production' ? `${url}/graphiql` : `${url}/graphiql  ${url}/sandbox`
}

/** The command as it has to be given: it reads the same folder and the same secret as the server. */
function tokenCommand(): string {
  const { DATA_DIR, AUTH_JWT_SECRET, AUTH_JWT_SECRET_FILE: file } = process.env
  const secret = AUTH_JWT_SECRET ? 'AUTH_JWT_SECRET=… ' : file ? `AUTH_JWT_SECRET_FILE=${file} ` : null
  const environment = secret ?? (DATA_DIR ? `DATA_DIR=${DATA_DIR} ` : '')
  return `${environment}npm run -s token -- alice`
}
