import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { isInOrder, type KeyPolicy } from './conversation-key/key-policy.js'
import type { ModulusBits } from './crypto/key-transport.js'
import { type Duration, durationMs, parseDuration } from './duration.js'
import { parseMasterSecrets } from './master-key/parse-master-secrets.js'

/** Everything that the environment decides, checked. Durations are milliseconds where named so. */
export interface Config {
  mode: 'development' | 'production' | 'test'
  host: string
  port: number
  /** Absolute path of the folder for the embedded database and generated secrets. */
  dataDir: string
  /** Null: the embedded PostgreSQL. */
  databaseUrl: string | null
  /** Null: the database carries jobs. */
  redisUrl: string | null
  databasePoolMax: number
  /** Id of the `local:` master key that wraps new private keys. */
  masterKeyId: string
  /** Ids of `local:` master keys that can still unwrap. */
  retiringMasterKeyIds: string[]
  /** Base64 of 32 bytes by id; null: one is generated under `dataDir`. */
  masterSecrets: Map<string, string> | null
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
  maxBodyBytes: number
  logLevel: string
}

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

const DAY_MS = 24 * 60 * 60 * 1000
const LOCAL_KEY_URI = /^local:([A-Za-z0-9._-]{1,64})$/

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))

const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text)
  } catch {
    context.addIssue('must be an ISO 8601 duration of one millisecond to ten years, such as PT15S or P30D')
    return z.NEVER
  }
})

/** A duration that timers and caches work with, in milliseconds. */
const milliseconds = duration.transform((value, context) => {
  try {
    const ms = durationMs(value)
    if (ms <= DAY_MS) return ms
  } catch {
    // Months and years are longer than a day as well.
  }
  context.addIssue('must not be longer than PT24H')
  return z.NEVER
})

const localKeyUri = z
  .string()
  .transform((uri) => LOCAL_KEY_URI.exec(uri)?.[1])
  .pipe(z.string('must be local:<id>, the id of letters, digits and ". _ -"'))

function url(...protocols: string[]) {
  const schemes = protocols.map((protocol) => `${protocol}//`).join(' or ')
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), `must be a ${schemes} URL`)
}

const environment = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'], 'must be development, production or test')
    .default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(4000),
  DATA_DIR: z.string().default('.data'),
  DATABASE_URL: url('postgres:', 'postgresql:').optional(),
  REDIS_URL: url('redis:', 'rediss:').optional(),
  DATABASE_POOL_MAX: wholeNumber(2, 1000).default(10),
  MASTER_KEY: localKeyUri.optional(),
  MASTER_KEYS_RETIRING: z
    .string()
    .transform((list) => list.split(',').map((uri) => uri.trim()))
    .pipe(z.array(localKeyUri))
    .default([]),
  MASTER_SECRETS: z.string().optional(),
  MASTER_SECRETS_FILE: z.string().optional(),
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
  MAX_BODY_BYTES: wholeNumber(1, 16 * 1024 * 1024).default(65_536),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'must be a level of pino: debug, info, warn, error')
    .default('info')
})

type Environment = z.infer<typeof environment>

/** @throws ConfigError naming every variable that is missing or wrong, and what it must be */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  // An empty variable is what a template leaves behind where nothing was filled in.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = environment.safeParse(given)
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}.`)
  const secrets = readMasterSecrets(given, problems)
  problems.push(...crossChecks(given, secrets))
  if (parsed.success && !isInOrder(policyOf(parsed.data))) {
    problems.push('KEY_DESTROY_AFTER must not be shorter than KEY_ROTATE_AFTER.')
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)])
  return toConfig(parsed.data, secrets)
}

function toConfig(env: Environment, masterSecrets: Map<string, string> | null): Config {
  return {
    mode: env.NODE_ENV,
    host: env.HOST,
    port: env.PORT,
    dataDir: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL ?? null,
    redisUrl: env.REDIS_URL ?? null,
    databasePoolMax: env.DATABASE_POOL_MAX,
    masterKeyId: env.MASTER_KEY ?? 'dev',
    retiringMasterKeyIds: env.MASTER_KEYS_RETIRING,
    masterSecrets,
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
    maxBodyBytes: env.MAX_BODY_BYTES,
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

function readMasterSecrets(env: NodeJS.ProcessEnv, problems: string[]): Map<string, string> | null {
  const { MASTER_SECRETS: text, MASTER_SECRETS_FILE: path } = env
  if (text && path) problems.push('MASTER_SECRETS and MASTER_SECRETS_FILE are both set: set one of them.')
  if (text) return parseMasterSecrets('MASTER_SECRETS', text, problems)
  if (!path) return null
  try {
    const file = statSync(path)
    if (file.isFile() && (file.mode & 0o077) !== 0)
      problems.push(`MASTER_SECRETS_FILE can be read by others: chmod 600 ${path}.`)
    return parseMasterSecrets('MASTER_SECRETS_FILE', readFileSync(path, 'utf8'), problems)
  } catch (error) {
    // Its value is not repeated: it may be the secrets themselves, set in the wrong place.
    problems.push(
      `MASTER_SECRETS_FILE cannot be read (${(error as NodeJS.ErrnoException).code}): give the path of a file.`
    )
    return null
  }
}

function isPlainHttp(url = ''): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:'
}

/** What concerns several variables together. */
function crossChecks(env: NodeJS.ProcessEnv, secrets: Map<string, string> | null): string[] {
  const problems: string[] = []
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem)
  }
  check(!(env.AUTH_JWT_SECRET && env.AUTH_JWKS_URL), 'AUTH_JWT_SECRET and AUTH_JWKS_URL are both set: set one of them.')
  if (secrets) {
    check(
      env.MASTER_KEY !== undefined,
      'MASTER_KEY is missing: say which secret wraps new keys, such as local:2026-11.'
    )
    for (const uri of [env.MASTER_KEY, ...(env.MASTER_KEYS_RETIRING?.split(',') ?? [])]) {
      const id = LOCAL_KEY_URI.exec(uri?.trim() ?? '')?.[1]
      check(
        id === undefined || secrets.has(id),
        `${uri?.trim()} has no secret: add ${id}=<base64 of 32 bytes> to the master secrets.`
      )
    }
  } else if (env.NODE_ENV !== 'production' && !env.MASTER_SECRETS_FILE) {
    const development = [undefined, 'local:dev'].includes(env.MASTER_KEY) && !env.MASTER_KEYS_RETIRING
    check(development, 'MASTER_SECRETS or MASTER_SECRETS_FILE is missing: the master keys named need their secrets.')
  }
  if (env.AUTH_JWKS_URL) {
    // The same provider signs tokens for other applications: theirs must not be good here.
    check(env.AUTH_ISSUER !== undefined, 'AUTH_ISSUER is missing: with AUTH_JWKS_URL say whose tokens are good.')
    check(
      env.AUTH_AUDIENCE !== undefined,
      'AUTH_AUDIENCE is missing: with AUTH_JWKS_URL say for whom tokens must be made.'
    )
  }
  if (env.NODE_ENV === 'production') {
    const production = (holds: unknown, text: string) => check(Boolean(holds), `${text} (NODE_ENV is production).`)
    production(env.DATABASE_URL, 'DATABASE_URL is missing: the embedded database is for development')
    production(
      secrets || env.MASTER_SECRETS_FILE,
      'MASTER_SECRETS or MASTER_SECRETS_FILE is missing: none is generated'
    )
    production(!isPlainHttp(env.AUTH_JWKS_URL), 'AUTH_JWKS_URL must be an https:// URL')
    production(
      env.AUTH_JWT_SECRET || env.AUTH_JWKS_URL,
      'AUTH_JWT_SECRET or AUTH_JWKS_URL is missing: none is generated'
    )
  }
  return problems
}
