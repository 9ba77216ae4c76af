import './require-node.js'
// Next: it sets the size of the thread pool, which the first use of the pool fixes.
import './thread-pool.js'
// Before the first schema.
import './zod-without-code.js'
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { startWorker } from '../jobs/worker.js'
import { compose, releaseAll } from './compose.js'
import { type Config, ConfigError, loadConfig } from './config.js'
import type { Part } from './database-access.js'
import { startHttpServer } from './graphql/http-server.js'
import { refuseCodeFromStrings, sealIntrinsics } from './lock-down.js'
import { createLogger, logConsole } from './log.js'
import { handleProcessFaults } from './process-faults.js'
import { faultText } from './reason-of.js'
import { StartError } from './start-error.js'

const USAGE = 'usage: main.js [api | worker]    (neither: both in one process)'
/** After this long on the way out the process ends whatever is still open. */
const SHUTDOWN_MS = 10_000
const ECHO_MS = 500

async function main(args: string[]): Promise<void> {
  const parts = partsOf(args)
  const config = loadConfig(process.env)
  const log = createLogger(config.logLevel)
  logConsole(log)
  const releases: (() => Promise<void>)[] = []
  // Heard from the start: a signal that comes while it is still starting ends it all the same.
  const stopping = new AbortController()
  const stopped = untilStopped(stopping)
  handleProcessFaults(log, () => stopping.abort())
  try {
    const composition = await compose(config, log, { parts, signal: stopping.signal })
    releases.push(() => composition.close())
    if (parts.includes('api')) {
      const server = await startHttpServer(composition.services.api)
      releases.push(() => server.close())
      console.log(welcome(config, server.url, composition.databasePlace))
    } else {
      console.log(`Conclave's worker runs. Data: ${composition.databasePlace}`)
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

function partsOf(args: string[]): Part[] {
  if (args.length === 0) return ['api', 'worker']
  if (args.length === 1 && (args[0] === 'api' || args[0] === 'worker')) return [args[0]]
  throw new StartError(USAGE)
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

function welcome(config: Config, url: string, databasePlace: string): string {
  const lines = [
    'Conclave is ready.',
    '',
    `  Console    ${url}/`,
    `  GraphQL    ${url}/graphql  (HTTP)   ${url.replace('http', 'ws')}/graphql  (WebSocket)`,
    `             ${url}/graphql/stream  (Server-Sent Events)`,
    `  Probes     ${url}/healthz  ${url}/readyz`,
    `  Data       ${databasePlace}`
  ]
  if (config.mode !== 'production' && !config.authentication.jwksUrl) {
    lines.push(`  Secrets    ${config.dataDir}`, '', `Get a token:  ${tokenCommand()}`)
  }
  return `${lines.join('\n')}\n`
}

/** The command as it has to be given: it reads the same folder and the same secret as the server. */
function tokenCommand(): string {
  const { DATA_DIR, AUTH_JWT_SECRET, AUTH_JWT_SECRET_FILE: file } = process.env
  const secret = AUTH_JWT_SECRET ? 'AUTH_JWT_SECRET=… ' : file ? `AUTH_JWT_SECRET_FILE=${file} ` : null
  const environment = secret ?? (DATA_DIR ? `DATA_DIR=${DATA_DIR} ` : '')
  return `${environment}npm run -s token -- alice`
}

function endWith(words: string): never {
  try {
    writeSync(process.stderr.fd, `${words}\n`)
  } finally {
    process.exit(1)
  }
}

// Diagnostic reports would have the environment in them, and with it secrets.
process.report.excludeEnv = true

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    if (error instanceof ConfigError) {
      endWith(`Conclave cannot start:\n${error.problems.map((problem) => `  - ${problem}`).join('\n')}`)
    }
    if (error instanceof StartError) endWith(`Conclave cannot start: ${error.message}`)
    endWith(`Conclave cannot start: ${faultText(error)}`)
  }
)
