import { startWorker } from '../jobs/worker.js'
import { compose } from './compose.js'
import { type Config, ConfigError, loadConfig } from './config.js'
import { startHttpServer } from './graphql/http-server.js'
import { createLogger } from './log.js'
import { StartError } from './start-error.js'

/** Which parts of Conclave this process runs. */
type Part = 'api' | 'worker'

const USAGE = 'usage: main.js [api | worker]    (neither: both in one process)'
/** After this long on the way out the process ends whatever is still open. */
const SHUTDOWN_MS = 10_000

async function main(args: string[]): Promise<void> {
  const parts = partsOf(args)
  const config = loadConfig(process.env)
  const log = createLogger(config.logLevel)
  const releases: (() => Promise<void>)[] = []
  const close = async () => {
    for (const release of releases.splice(0).reverse()) await release()
  }
  // Heard from the start: a signal that comes while it is still starting ends it all the same.
  const stopped = stopSignal()
  try {
    const composition = await compose(config, log)
    releases.push(() => composition.close())
    if (parts.includes('worker')) {
      const worker = await startWorker(composition.services, composition.databaseUrl)
      releases.push(() => worker.close())
    }
    if (parts.includes('api')) {
      const server = await startHttpServer(composition.services)
      releases.push(() => server.close())
      console.log(welcome(config, server.url, composition.databasePlace))
    } else {
      console.log(`Conclave's worker runs. Data: ${composition.databasePlace}`)
    }
    await stopped
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref()
  } finally {
    await close()
  }
}

function partsOf(args: string[]): Part[] {
  if (args.length === 0) return ['api', 'worker']
  if (args.length === 1 && (args[0] === 'api' || args[0] === 'worker')) return [args[0]]
  throw new StartError(USAGE)
}

async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
  })
}

function welcome(config: Config, url: string, databasePlace: string): string {
  const lines = [
    'Conclave is ready.',
    '',
    `  GraphQL    ${url}/graphql  (HTTP)   ${url.replace('http', 'ws')}/graphql  (WebSocket)`,
    `  Probes     ${url}/healthz  ${url}/readyz`,
    `  Data       ${databasePlace}`
  ]
  if (config.mode !== 'production' && !config.authentication.jwksUrl) {
    lines.push(`  Secrets    ${config.dataDir}`, '', 'Get a token:  npm run -s token -- alice')
  }
  return `${lines.join('\n')}\n`
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    if (error instanceof ConfigError) {
      console.error(`Conclave cannot start:\n${error.problems.map((problem) => `  - ${problem}`).join('\n')}`)
    } else if (error instanceof StartError) {
      console.error(`Conclave cannot start: ${error.message}`)
    } else {
      console.error('Conclave cannot start:', error)
    }
    process.exit(1)
  }
)
