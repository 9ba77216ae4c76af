import { resolve } from 'node:path'
import { z } from 'zod'
import { isInOrder, type KeyPolicy } from './conversation-key/key-policy.js'
import type { ModulusBits } from './crypto/key-transport.js'
import type { Duration } from './duration.js'
import { duration, milliseconds } from './duration-variable.js'
import type { MasterKey } from './master-key/master-key.js'
import type { OpeningContext } from './master-key/provider.js'
import { configureMasterKeys, masterKeyVariables, problemOfMasterKeyUri } from './master-key/providers.js'
import { type MetricsConfig, metricsConfigOf, metricsVariables } from './metrics-config.js'
import { type OperationList, readOperationList } from './operation-list.js'
import { type QueryLimits, queryLimitsOf, queryLimitVariables } from './query-limits.js'
import { parseRedisCluster, REDIS_PROTOCOLS } from './redis-url.js'
import { SECRETS, withSecretFiles } from './secret-files.js'
import type { TracingOptions } from './tracing/start-tracing.js'
import { tracingOf, tracingVariables } from './tracing-config.js'
import { type TrafficLimits, trafficLimitsOf, trafficVariables } from './traffic-limits.js'
import { wholeNumber } from './whole-number.js'

/** Everything that the environment decides, checked. Durations are milliseconds where named so. */
export interface Config extends TrafficLimits, MetricsConfig {
  mode: 'development' | 'production' | 'test'
  host: string
  port: number
  /** Absolute path of the folder for the embedded database and generated secrets. */
  dataDir: string
  /** Of the login that owns the tables and migrates them. The embedded PostgreSQL where none of the three is set. */
  databaseUrl: string | null
  /** Of the login that the API has for itself; null: `databaseUrl`. */
  apiDatabaseUrl: string | null
  /** Likewise of the worker. */
  workerDatabaseUrl: string | null
  /** Of a single Redis or a cluster. Null: the database carries jobs and signals. */
  redisUrl: string | null
  databasePoolMax: number
  /** URI of the master key that wraps new private keys. */
  masterKey: string
  /** URIs of master keys that can still unwrap. */
  retiringMasterKeys: string[]
  /** Opens one of them; what is secret about it stays in here. */
  openMasterKey: (uri: string, context: OpeningContext) => Promise<MasterKey>
  /** For one request to a key service. */
  masterKeyTimeoutMs: number
  authentication: AuthenticationConfig
  keyBits: ModulusBits
  /** For a conversation without a policy of its own. */
  keyPolicy: KeyPolicy
  destructionGrace: Duration
  keyPoolTarget: number
  dataKeyMaxMessages: number
  dataKeyMaxAge: Duration
  dataKeyCacheTtlMs: number
  dataKeyCacheMax: number
  scanEveryMs: number
  /** Private keys that a rewrap moves in a second at most; null for no bound. */
  rewrapPerSecond: number | null
  maxBodyBytes: number
  queryLimits: QueryLimits
  /** The only operations that clients may run; null for any. */
  persistedQueries: OperationList | null
  /** Whether the schema can be asked for, and explorers are served. Null: not in production. */
  introspection: boolean | null
  jobBoard: JobBoardMode
  /** Null: nothing is traced. */
  tracing: TracingOptions | null
  /** Whether code may be made from text once the process has started. */
  codeFromStrings: boolean
  logLevel: string
}

/** What administrators may do with the jobs at `/jobs`. */
export type JobBoardMode = 'off' | 'read-only' | 'writable'

export interface AuthenticationConfig {
  /** Null with a `jwksUrl`, or where the secret is generated under `dataDir`. */
  jwtSecret: string | null
  jwksUrl: URL | null
  issuer: string | null
  audience: string | null
}

/** Every problem of a configuration at once, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly problems: string[]) {
    super(problems.join('\n'))
  }
}

const GENERATED_MASTER_KEY = 'local:dev'

const masterKeyUri = z.string().superRefine((uri, context) => {
  const problem = problemOfMasterKeyUri(uri)
  if (problem) context.addIssue(problem)
})

function url(...protocols: string[]) {
  const schemes = protocols.map((protocol) => `${protocol}//`).join(' or ')
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), `must be a ${schemes} URL`)
}

const databaseUrl = url('postgres:', 'postgresql:')

const redisUrl = url(...REDIS_PROTOCOLS).refine((text) => {
  try {
    parseRedisCluster(text)
    return true
  } catch {
    return false
  }
}, 'must name the nodes of a cluster as redis-cluster://host:port?node=host:port&node=host:port')

const environment = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'], 'must be development, production or test')
    .default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(4000),
  DATA_DIR: z.string().default('.data'),
  DATABASE_URL: databaseUrl.optional(),
  API_DATABASE_URL: databaseUrl.optional(),
  WORKER_DATABASE_URL: databaseUrl.optional(),
  REDIS_URL: redisUrl.optional(),
  DATABASE_POOL_MAX: wholeNumber(2, 1000).default(10),
  MASTER_KEY: masterKeyUri.default(GENERATED_MASTER_KEY),
  MASTER_KEYS_RETIRING: z
    .string()
    .transform((list) => list.split(',').map((uri) => uri.trim()))
    .pipe(z.array(masterKeyUri))
    .default([]),
  MASTER_KEY_TIMEOUT: milliseconds.default(5000),
  AUTH_JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must have at least 32 bytes (RFC 7518, section 3.2)')
    .optional(),
  AUTH_JWKS_URL: url('https:', 'http:').optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  KEY_BITS: z
    .enum(['2048', '3072', '4096'], 'must be 2048, 3072 or 4096')
    .transform((bits) => Number(bits) as ModulusBits)
    .default(3072),
  KEY_ROTATE_AFTER: duration.default('P30D'),
  KEY_ROTATE_AFTER_MESSAGES: wholeNumber(1, 2 ** 31 - 1).optional(),
  KEY_DESTROY_AFTER: duration.optional(),
  DESTRUCTION_GRACE: duration.default('P7D'),
  KEY_POOL_TARGET: wholeNumber(0, 100_000).default(16),
  // Senders at the same moment share a data key: with too few messages to it they would only replace it.
  DATA_KEY_MAX_MESSAGES: wholeNumber(10, 2 ** 31 - 1).default(1000),
  DATA_KEY_MAX_AGE: duration.default('PT24H'),
  DATA_KEY_CACHE_TTL: milliseconds.default(300_000),
  DATA_KEY_CACHE_MAX: wholeNumber(1, 10_000_000).default(10_000),
  SCAN_EVERY: milliseconds.default(15_000),
  REWRAP_PER_SECOND: wholeNumber(1, 1_000_000).optional(),
  MAX_BODY_BYTES: wholeNumber(1, 16 * 1024 * 1024).default(65_536),
  ...trafficVariables,
  ...queryLimitVariables,
  ...metricsVariables,
  ...tracingVariables,
  PERSISTED_QUERIES: z.string().optional(),
  INTROSPECTION: z.enum(['on', 'off'], 'must be on or off').optional(),
  JOB_BOARD: z.enum(['off', 'read-only', 'writable'], 'must be off, read-only or writable').default('read-only'),
  CODE_FROM_STRINGS: z.enum(['allowed', 'refused'], 'must be allowed or refused').default('allowed'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'must be a level of pino: debug, info, warn, error')
    .default('info')
})

type Environment = z.infer<typeof environment>

/** Names of all variables that decide something here. */
export const configVariables: readonly string[] = [
  ...Object.keys(environment.shape),
  ...SECRETS.map((name) => `${name}_FILE`),
  ...masterKeyVariables
]

const migrationEnvironment = z.object({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl.optional() })

/** What migrating needs, which is no secret but the owner's login. @throws ConfigError */
export function loadMigrationConfig(env: NodeJS.ProcessEnv): { databaseUrl: string; redisUrl: string | null } {
  const unread: string[] = []
  const given = withSecretFiles(withoutEmpty(env), unread)
  if (unread.length > 0) throw new ConfigError(unread)
  if (!given.DATABASE_URL) {
    throw new ConfigError(['DATABASE_URL is missing: the login that owns the tables, or is to own them.'])
  }
  const parsed = migrationEnvironment.safeParse(given)
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error))
  return { databaseUrl: parsed.data.DATABASE_URL, redisUrl: parsed.data.REDIS_URL ?? null }
}

/** @throws ConfigError naming every variable that is missing or wrong, and what it must be */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = []
  const given = withSecretFiles(withoutEmpty(env), problems)
  const parsed = environment.safeParse(given)
  if (!parsed.success) problems.push(...problemsOf(parsed.error))
  const forMasterKeys = { variables: given, production: isProduction(given) }
  const openMasterKey = configureMasterKeys(masterKeyUris(given), forMasterKeys, problems)
  problems.push(...crossChecks(given))
  const persistedQueries = given.PERSISTED_QUERIES ? readOperationList(given.PERSISTED_QUERIES, problems) : null
  if (parsed.success && !isInOrder(policyOf(parsed.data))) {
    problems.push('KEY_DESTROY_AFTER must not be shorter than KEY_ROTATE_AFTER.')
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)])
  return { ...toConfig(parsed.data), openMasterKey, persistedQueries }
}

/** An empty variable is what a template leaves behind where nothing was filled in. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
}

function problemsOf({ issues }: z.ZodError): string[] {
  return issues.map((issue) => `${String(issue.path[0])} ${issue.message}.`)
}

function toConfig(env: Environment): Omit<Config, 'openMasterKey' | 'persistedQueries'> {
  return {
    mode: env.NODE_ENV,
    host: env.HOST,
    port: env.PORT,
    dataDir: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL ?? null,
    apiDatabaseUrl: env.API_DATABASE_URL ?? null,
    workerDatabaseUrl: env.WORKER_DATABASE_URL ?? null,
    redisUrl: env.REDIS_URL ?? null,
    databasePoolMax: env.DATABASE_POOL_MAX,
    masterKey: env.MASTER_KEY,
    retiringMasterKeys: env.MASTER_KEYS_RETIRING,
    masterKeyTimeoutMs: env.MASTER_KEY_TIMEOUT,
    authentication: {
      jwtSecret: env.AUTH_JWT_SECRET ?? null,
      jwksUrl: env.AUTH_JWKS_URL ? new URL(env.AUTH_JWKS_URL) : null,
      issuer: env.AUTH_ISSUER ?? null,
      audience: env.AUTH_AUDIENCE ?? null
    },
    keyBits: env.KEY_BITS,
    keyPolicy: policyOf(env),
    destructionGrace: env.DESTRUCTION_GRACE,
    keyPoolTarget: env.KEY_POOL_TARGET,
    dataKeyMaxMessages: env.DATA_KEY_MAX_MESSAGES,
    dataKeyMaxAge: env.DATA_KEY_MAX_AGE,
    dataKeyCacheTtlMs: env.DATA_KEY_CACHE_TTL,
    dataKeyCacheMax: env.DATA_KEY_CACHE_MAX,
    scanEveryMs: env.SCAN_EVERY,
    rewrapPerSecond: env.REWRAP_PER_SECOND ?? null,
    maxBodyBytes: env.MAX_BODY_BYTES,
    ...trafficLimitsOf(env, env.NODE_ENV === 'production'),
    queryLimits: queryLimitsOf(env, env.NODE_ENV === 'production'),
    introspection: env.INTROSPECTION ? env.INTROSPECTION === 'on' : null,
    jobBoard: env.JOB_BOARD,
    ...metricsConfigOf(env, env.HOST, env.NODE_ENV === 'production'),
    tracing: tracingOf(env),
    codeFromStrings: env.CODE_FROM_STRINGS === 'allowed',
    logLevel: env.LOG_LEVEL
  }
}

function policyOf(env: Environment): KeyPolicy {
  return {
    rotateAfter: env.KEY_ROTATE_AFTER,
    rotateAfterMessages: env.KEY_ROTATE_AFTER_MESSAGES ?? null,
    destroyAfter: env.KEY_DESTROY_AFTER ?? null,
    rotateOnMemberRemoval: true
  }
}

/** Also where other variables are wrong: what the master keys lack is told together with that. */
function masterKeyUris(env: NodeJS.ProcessEnv): string[] {
  const retiring = env.MASTER_KEYS_RETIRING?.split(',').map((uri) => uri.trim()) ?? []
  return [env.MASTER_KEY ?? GENERATED_MASTER_KEY, ...retiring].filter((uri) => problemOfMasterKeyUri(uri) === null)
}

function isProduction(env: NodeJS.ProcessEnv): boolean {
  return env.NODE_ENV === 'production'
}

function isPlainHttp(url = ''): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:'
}

/** What concerns several variables together. */
function crossChecks(env: NodeJS.ProcessEnv): string[] {
  const problems: string[] = []
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem)
  }
  check(!(env.AUTH_JWT_SECRET && env.AUTH_JWKS_URL), 'AUTH_JWT_SECRET and AUTH_JWKS_URL are both set: set one of them.')
  if (env.AUTH_JWKS_URL) {
    // The same provider signs tokens for other applications: theirs must not be good here.
    check(env.AUTH_ISSUER !== undefined, 'AUTH_ISSUER is missing: with AUTH_JWKS_URL say whose tokens are good.')
    check(
      env.AUTH_AUDIENCE !== undefined,
      'AUTH_AUDIENCE is missing: with AUTH_JWKS_URL say for whom tokens must be made.'
    )
  }
  if (isProduction(env)) {
    const production = (holds: unknown, text: string) => check(Boolean(holds), `${text} (NODE_ENV is production).`)
    production(
      env.DATABASE_URL || env.API_DATABASE_URL || env.WORKER_DATABASE_URL,
      'DATABASE_URL is missing: the embedded database is for development'
    )
    production(!isPlainHttp(env.AUTH_JWKS_URL), 'AUTH_JWKS_URL must be an https:// URL')
    production(
      env.AUTH_JWT_SECRET || env.AUTH_JWKS_URL,
      'AUTH_JWT_SECRET or AUTH_JWKS_URL is missing: none is generated'
    )
  }
  return problems
}
