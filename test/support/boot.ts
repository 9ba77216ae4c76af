import { Writable } from 'node:stream'
import { compose } from '../../src/compose.js'
import { type Config, loadConfig } from '../../src/config.js'
import { startHttpServer } from '../../src/graphql/http-server.js'
import { signToken } from '../../src/identity/sign-token.js'
import { createLogger } from '../../src/log.js'
import type { Services } from '../../src/services.js'
import { GraphQLClient } from './graphql-client.js'
import { drawKeyPair } from './key-stock.js'
import { TestClock } from './test-clock.js'
import { createTestDatabase, type TestDatabase } from './test-database.js'

export interface TestConclave {
  url: string
  /** Of the API, which has the rights of its role in the database and no more. */
  services: Services
  /** Of a worker in the same process, likewise. */
  workerServices: Services
  database: TestDatabase
  clock: TestClock
  /** Everything logged, as one text. */
  logged(): string
  token(userId: string, claims?: { name?: string; scopes?: string[] }): Promise<string>
  /** A client that sends this user's token. */
  as(userId: string, claims?: { name?: string; scopes?: string[] }): Promise<GraphQLClient>
  /** A client without a token. */
  anonymous(): GraphQLClient
  /** Ends everything and starts it again on the same database and port, as another process would find it. */
  restart(overrides?: Partial<Config>, variables?: NodeJS.ProcessEnv): Promise<void>
  close(): Promise<void>
}

const SECRET = 'only for tests, and long enough for HS256'
const TEST_SECRETS = `test=${Buffer.alloc(32, 7).toString('base64')}`

/** Boots the real application on a database of its own: all but the process around it. */
export async function bootConclave(
  overrides: Partial<Config> = {},
  variables: NodeJS.ProcessEnv = {},
  clock = new TestClock()
): Promise<TestConclave> {
  const database = await createTestDatabase()
  let config = { ...loadConfig({ ...environment(database.url), ...variables }), ...overrides }
  const lines: string[] = []
  const log = createLogger('debug', new Writable({ write: (line, _, done) => done(void lines.push(String(line))) }))
  const open = async () => await compose(config, log, { parts: ['api', 'worker'], clock, generateKeyPair: drawKeyPair })
  let composition = await open()
  let server = await startHttpServer(composition.services.api)
  const clients: GraphQLClient[] = []
  const client = (token: string | null) => {
    const made = new GraphQLClient(server.url, token)
    clients.push(made)
    return made
  }
  const token = async (userId: string, { name, scopes = [] }: { name?: string; scopes?: string[] } = {}) =>
    (await signToken({ ...config.authentication, jwtSecret: SECRET }, clock, { userId, name, scopes })).token
  return {
    url: server.url,
    get services() {
      return composition.services.api
    },
    get workerServices() {
      return composition.services.worker
    },
    database,
    clock,
    logged: () => lines.join(''),
    token,
    as: async (userId, claims) => client(await token(userId, claims)),
    anonymous: () => client(null),
    async restart(changed = {}, changedVariables) {
      await server.close()
      await composition.close()
      if (changedVariables)
        config = { ...loadConfig({ ...environment(database.url), ...changedVariables }), ...overrides }
      config = { ...config, ...changed, port: Number(new URL(server.url).port) }
      composition = await open()
      server = await startHttpServer(composition.services.api)
    },
    async close() {
      for (const made of clients) await made.close()
      await server.close()
      await composition.close()
      await database.drop()
    }
  }
}

function environment(databaseUrl: string): NodeJS.ProcessEnv {
  return {
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_MAX: '4',
    AUTH_JWT_SECRET: SECRET,
    MASTER_KEY: 'local:test',
    MASTER_SECRETS: TEST_SECRETS,
    KEY_BITS: '2048',
    // Tests do in a second what people do in a day.
    RATE_LIMITS: 'off',
    SOCKETS_PER_USER: '10000'
  }
}

/** For a program of its own on the same database, with the same secrets. */
export function programEnvironment({ database, services }: TestConclave): Record<string, string> {
  return {
    DATABASE_URL: database.url,
    MASTER_KEY: 'local:test',
    MASTER_SECRETS: TEST_SECRETS,
    AUTH_JWT_SECRET: services.authentication.jwtSecret,
    KEY_BITS: '2048',
    RATE_LIMITS: 'off',
    SOCKETS_PER_USER: '10000'
  }
}
