import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { systemClock } from '../../src/clock.js'
import { signToken } from '../../src/identity/sign-token.js'
import { filesForCommands, type GivenCommand, givenCommands } from '../support/marked-secrets/commands.js'
import { startEchoingServices } from '../support/marked-secrets/echoing-services.js'
import {
  everyOperation,
  literalTexts,
  type RootOperation,
  schemaOf,
  unfitVariables
} from '../support/marked-secrets/every-operation.js'
import { firstEvent, firstResult } from '../support/marked-secrets/first-result.js'
import { contentKeyOf, generatedKeys, keepGeneratedKeys } from '../support/marked-secrets/generated-keys.js'
import { malformedMessages, malformedRequests } from '../support/marked-secrets/malformed.js'
import { DRIVERS, MarkedWorld, type Variables } from '../support/marked-secrets/marked-world.js'
import {
  type Found,
  findMarked,
  type Marked,
  markedBytes,
  markedText,
  newMarker,
  type Written
} from '../support/marked-secrets/markers.js'
import {
  lastStatements,
  writtenInDatabase,
  writtenInFiles,
  writtenInRedis,
  writtenOfProcess
} from '../support/marked-secrets/written.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { canStartRedis, RedisServer } from '../support/redis.js'
import { scrape } from '../support/scrape.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { TraceReceiver } from '../support/trace-receiver.js'
import { ecRecipient } from '../support/transfer/recipients.js'
import { TRANSPORTS, type Transport } from '../support/transports.js'

/** Stands where secrets must not, so that it is known that they would have been found there. */
const shown = newMarker('Shown')
const hidden = newMarker('OfTheFault')
const texts = { body: newMarker('Body'), title: newMarker('Title'), clientMessageId: newMarker('Client') }
const names = { alice: newMarker('NameOfAlice'), bob: newMarker('NameOfBob') }
const given = { unfit: newMarker('Unfit'), literal: newMarker('Literal'), refused: newMarker('Refused') }
const masterSecrets = { now: randomBytes(32).toString('base64'), before: randomBytes(32).toString('base64') }
const passwords = {
  owner: newMarker('Owner'),
  api: newMarker('Api'),
  worker: newMarker('Worker'),
  redis: newMarker('Redis'),
  otherRedis: newMarker('OtherRedis'),
  otherLogin: newMarker('OtherLogin'),
  vault: newMarker('Vault'),
  vaultSecretId: newMarker('VaultSecretId'),
  awsSecretKey: newMarker('AwsSecretKey'),
  awsSessionToken: newMarker('AwsSessionToken'),
  traces: newMarker('Traces'),
  metrics: newMarker('Metrics'),
  jwt: newMarker('JwtSecret')
}
const awsCredentials = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: passwords.awsSecretKey,
  AWS_SESSION_TOKEN: passwords.awsSessionToken
}
/** Stand in the database, in columns of their own. */
const inColumns = { ...names, client: texts.clientMessageId }
/** Too short for a JWT secret. */
const tooShort = newMarker('')
const logins = { owner: newMarker('login'), api: newMarker('login'), worker: newMarker('login') }

let database: TestDatabase
let redis: RedisServer
let commands: { stop(): string }
let services: Awaited<ReturnType<typeof startEchoingServices>>
let receiver: TraceReceiver
let program: InstalledProgram
let api: RunningProgram
/** In production, and with operations compiled that come again. */
let production: RunningProgram
let worker: RunningProgram
let url: string
let productionUrl: string
let world: MarkedWorld
let operations: RootOperation[]
const tokens: Record<'alice' | 'bob' | 'mallory' | 'expired', string> = { alice: '', bob: '', mallory: '', expired: '' }
/** What clients were told of failures. */
const told: string[] = []
/** By commands, but for the tokens that they are there to print. */
const printed: string[] = []
const secrets: Marked[] = []

const SUBSCRIBED = Object.keys(DRIVERS).filter((coordinate) => coordinate.startsWith('Subscription.'))
/** Queries and mutations, but for those that there are in development only. */
const EXECUTED = Object.keys(DRIVERS).filter(
  (coordinate) => !SUBSCRIBED.includes(coordinate) && !['Mutation.devToken', 'Query.storedMessage'].includes(coordinate)
)

/** Of them, what is never compiled: for an abstract type, and for the default of an argument. */
const INTERPRETED = ['Query.node', 'Mutation.scheduleKeyDestruction']

const hook = fileURLToPath(new URL('../support/marked-secrets/fault-hook.mjs', import.meta.url))

describe.skipIf(!canStartRedis)('a secret', () => {
  beforeAll(start, 180_000)
  afterAll(async () => {
    await program.remove()
    commands.stop()
    await redis.stop()
    await services.close()
    await receiver.stop()
    await database.query(
      Object.values(logins)
        .map((login) => `drop owned by ${login}; drop role ${login}`)
        .join(';')
    )
    await database.drop()
  })

  it('would be written by operations that have no driver here: there is none without', () => {
    expect(operations.map(({ coordinate }) => coordinate).sort()).toEqual(Object.keys(DRIVERS).sort())
  })

  describe.each(TRANSPORTS)('over %s', (transport) => {
    it.each(Object.keys(DRIVERS))(
      'is part of %s, which fails and succeeds',
      { timeout: 30_000 },
      async (coordinate) => {
        const asked = await successOf(operationOf(coordinate))
        await failWith(asked, { transport, at: url })
        const isRefused = transport === 'HTTP' && asked.kind === 'subscription'
        const result = await perform(asked, { transport, at: url })
        expect(result.errors !== undefined, JSON.stringify(result.errors)).toBe(isRefused)
        rememberToken(result.data)
        if (isRefused) told.push(JSON.stringify(result.errors))
      }
    )
  })

  it.each(EXECUTED)(
    'in production is part of %s, compiled, which fails and succeeds',
    { timeout: 30_000 },
    async (coordinate) => {
      const production = { transport: 'HTTP', at: productionUrl } as const
      const asked = await successOf(operationOf(coordinate))
      // What comes again is compiled.
      await failWith(asked, production)
      const { errors } = await perform(asked, production)
      expect(errors, JSON.stringify(errors)).toBeUndefined()
      for (const token of [tokens.mallory, tokens.alice]) await tellFailure(asked, { ...production, token })
    }
  )

  it.each(
    SUBSCRIBED.flatMap((coordinate) => [[coordinate, 'WebSocket'] as const, [coordinate, 'event stream'] as const])
  )(
    'in production is part of %s over %s, which fails and succeeds',
    { timeout: 30_000 },
    async (coordinate, transport) => {
      const asked = await successOf(operationOf(coordinate))
      await failWith(asked, { transport, at: productionUrl })
      const { errors } = await perform(asked, { transport, at: productionUrl })
      expect(errors, JSON.stringify(errors)).toBeUndefined()
    }
  )

  it.each(['development', 'production'])(
    'in %s is part of the download of an export, and of signing in to the jobs',
    async (mode) => {
      const at = mode === 'production' ? productionUrl : url
      const path = `${at}/exports/${await writtenExport()}`
      const download = async (token: string) => await fetch(path, { headers: { authorization: `Bearer ${token}` } })
      const file = await download(tokens.alice)
      expect(file.status).toBe(200)
      // To be searched: what it holds is for the recipient of the export alone.
      const text = await file.text()
      told.push(text)
      secrets.push(await contentKeyOf(text, world.recipient.privatePem))
      const unfinished = await fetch(`${at}/exports/${await world.unfinishedExport()}`, {
        headers: { authorization: `Bearer ${tokens.alice}` }
      })
      expect(unfinished.status).toBe(409)
      await tell(unfinished)
      for (const token of [given.refused, forged(), tokens.expired, tokens.mallory])
        await tellRefusal(await download(token))
      await tellRefusal(await fetch(`${at}/exports/${given.refused}?token=${given.refused}`))
      const signIn = async (token: string) =>
        await fetch(`${at}/jobs/sign-in`, {
          method: 'POST',
          headers: { origin: at },
          body: new URLSearchParams({ token }),
          redirect: 'manual'
        })
      expect((await signIn(tokens.alice)).headers.get('set-cookie')).toContain(tokens.alice)
      for (const token of [given.refused, forged(), tokens.expired, tokens.mallory])
        await tellRefusal(await signIn(token))
      const headers = { cookie: `conclave-jobs=${given.refused}` }
      await tellRefusal(await fetch(`${at}/jobs/`, { headers: { ...headers, accept: 'application/json' } }))
    }
  )

  it('is part of requests that are none', async () => {
    for (const at of [url, productionUrl]) {
      for (const { path, init } of malformedRequests(tokens.alice, given.refused, shown))
        await tell(await fetch(`${at}${path}`, init))
      for (const first of malformedMessages(given.refused)) told.push(await closeOf(first, at))
    }
  })

  it('is part of every command, which succeeds and fails', { timeout: 600_000 }, async () => {
    const files = filesForCommands(world.recipient, ecRecipient().privatePem, { ...texts, ...given })
    for (const [name, text] of Object.entries(files)) write(name, text)
    const rows = givenCommands({
      conversation: await world.rotated(),
      compromised: await world.rotated(),
      name: names.alice,
      refused: given.refused,
      tooShort,
      ownerUrl: databaseUrl(logins.owner, passwords.owner),
      elsewhere: {
        databaseUrl: databaseUrl(logins.api, passwords.otherLogin),
        redisUrl: redisUrl(passwords.otherRedis)
      },
      masterKeys: environment().MASTER_KEYS_RETIRING ?? ''
    })
    await Promise.all(
      rows.map(async (row) => {
        for (const command of row) await give(command)
      })
    )
  })

  it('is part of what the database refuses, whatever is asked', { timeout: 120_000 }, async () => {
    const prepared: Asked[] = []
    for (const operation of operations) prepared.push(await successOf(operation))
    await database.query('delete from pooled_keys')
    await onEveryTable('add constraint out_of_order check (false) not valid')
    for (const asked of prepared) await performEverywhere(asked)
    await vi.waitFor(() => expect(worker.output).toContain('job failed'), { timeout: 30_000 })
    await onEveryTable('drop constraint out_of_order')
    await database.query('revoke select on conversations, messages, key_operations, key_events from conclave_api')
    for (const asked of prepared) await performEverywhere(asked)
    for (const { output } of [api, production]) {
      expect(output).toContain('violates check constraint')
      expect(output).toContain('permission denied for table')
    }
  })

  it('is part of what key services refuse, and the receiver of traces', () => {
    for (const secret of [passwords.vault, passwords.vaultSecretId, passwords.awsSessionToken])
      expect(services.heard()).toContain(secret)
    for (const { output } of [api, production])
      for (const uri of ['vault:transit/conclave', 'aws-kms:alias/conclave'])
        expect(output).toContain(`"masterKey":"${uri}","current":false,"kind":"REFUSED"`)
    expect(receiver.refused.join()).toContain(passwords.traces)
  })

  it('is part of logging in to a database that has another password', async () => {
    const before = api.output.length
    await database.query(`alter role ${logins.api} password '${passwords.otherLogin}'`)
    await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${logins.api}'`)
    told.push(
      JSON.stringify(await firstResult('HTTP', url, tokens.alice, { query: '{ conversations { nodes { id } } }' }))
    )
    await vi.waitFor(() => expect(api.output.slice(before)).toContain('password authentication failed'), {
      timeout: 30_000
    })
    await database.query(`alter role ${logins.api} password '${passwords.api}'`)
  })

  it('is part of logging in to a Redis that has another password', async () => {
    const before = api.output.length
    const administrator = new Redis(redis.url)
    await administrator.call('ACL', 'SETUSER', 'conclave', 'resetpass', `>${passwords.otherRedis}`)
    await administrator.call('CLIENT', 'KILL', 'USER', 'conclave')
    await world.run('alice', '{ viewer { id } }')
    await vi.waitFor(() => expect(api.output.slice(before)).toContain('WRONGPASS'), { timeout: 30_000 })
    await administrator.call('ACL', 'SETUSER', 'conclave', 'resetpass', `>${passwords.redis}`)
    administrator.disconnect()
  })

  describe('afterwards', () => {
    let written: Written
    let generated: Awaited<ReturnType<typeof generatedKeys>>
    let found: Found[]

    beforeAll(async () => {
      const programs = { API: api, 'API in production': production, worker }
      const processes: Written[] = []
      for (const [name, running] of Object.entries(programs))
        processes.push(writtenOfProcess(name, running.pid), await metricsOf(name, running))
      const statements = await lastStatements(database, shown)
      const environment = { 'environment of the worker': readFileSync(`/proc/${worker.pid}/environ`, 'latin1') }
      await reportsOf(...Object.values(programs))
      const ends = await Promise.all(
        Object.entries(programs).map(async ([name, running]) => [`output of the ${name}`, await crash(running)])
      )
      await showItself()
      written = {
        ...Object.assign({}, ...processes),
        ...environment,
        ...statements,
        ...(await writtenInDatabase(database)),
        ...(await writtenInRedis(redis.url)),
        ...writtenInFiles(join(program.folder, 'reports'), 'report'),
        ...writtenInFiles(join(program.folder, '.data'), 'data'),
        'commands to Redis': commands.stop(),
        ...Object.fromEntries(ends),
        spans: receiver.text,
        'answers to what failed': told.join('\n'),
        'output of commands': printed.join('\n')
      }
      generated = await generatedKeys(database, masterSecrets.now)
      found = findMarked([...marked(), ...generated.privateKeys, ...generated.dataKeys], written)
    }, 120_000)

    const placesOf = (...whats: string[]) =>
      found.filter(({ what }) => whats.includes(what)).map(({ what, where }) => `${what} in ${where}`)

    it('would be found in everything that is written', () => {
      const places = placesOf('it').map((place) => place.replace(/report\.\d.*/, 'report'))
      expect(places.sort()).toEqual([
        'it in Redis key canary',
        'it in answers to what failed',
        'it in column public.canary.base64',
        'it in column public.canary.bytes',
        'it in column public.canary.hex',
        'it in column public.canary.words',
        'it in command line of the API',
        'it in command line of the API in production',
        'it in command line of the worker',
        'it in commands to Redis',
        'it in environment of the worker',
        'it in file data/canary',
        'it in file report/report',
        'it in file report/report',
        'it in file report/report',
        'it in log of PostgreSQL',
        'it in metrics of the API',
        'it in metrics of the API in production',
        'it in metrics of the worker',
        'it in output of commands',
        'it in output of the API',
        'it in output of the API in production',
        'it in output of the worker',
        'it in spans',
        'it in statements of the connections'
      ])
    })

    it('was in operations that are compiled', () => {
      const compiled = (name: string) =>
        Number(/operations compiled: (\d+)/.exec(written[`output of the ${name}`] ?? '')?.[1])
      expect(compiled('API')).toBe(0)
      expect(compiled('API in production')).toBe(EXECUTED.length - INTERPRETED.length)
    })

    it('was in hundreds of keys that the programs have made, all of which are looked for', () => {
      expect(generated.privateKeys.length).toBeGreaterThan(300)
      expect(generated.dataKeys.length).toBeGreaterThan(60)
    })

    it('is nowhere', () => {
      const elsewhere = ['it', ...Object.keys(inColumns)]
      expect(found.filter(({ what }) => !elsewhere.includes(what))).toEqual([])
    })

    it('that is a name, or the id that a client gives its message, is in its column alone', () => {
      // A login that has failed, or a row that was refused: PostgreSQL's own log has the statement.
      const byPostgres = /in (statements of the connections|log of PostgreSQL)$/
      expect(placesOf(...Object.keys(inColumns)).filter((place) => !byPostgres.test(place))).toEqual([
        'alice in column public.users.name',
        'bob in column public.users.name',
        'client in column public.messages.client_message_id'
      ])
    })

    it('is not in the last words of a process that fails, which say where it was', () => {
      for (const name of ['API', 'API in production', 'worker']) {
        const output = written[`output of the ${name}`] ?? ''
        expect(output).toContain(`"name":"${shown}"`)
        expect(output).toMatch(/ at process\.<anonymous> .*fault-hook\.mjs/)
      }
    })
  })
})

/** All but what the programs have made themselves. */
function marked(): Marked[] {
  const { clientMessageId: _, ...nowhere } = { ...texts, ...given, ...passwords, hidden, tooShort }
  const words = Object.entries({ it: shown, ...inColumns, ...nowhere }).map(([what, text]) => markedText(what, text))
  const bytes = Object.entries(masterSecrets).map(([what, base64]) => markedBytes(`master secret ${what}`, base64))
  return [...words, ...bytes, ...secrets]
}

async function start(): Promise<void> {
  database = await createTestDatabase()
  await keepGeneratedKeys(database)
  redis = await RedisServer.start('--user', 'conclave', 'on', `>${passwords.redis}`, '~*', '&*', '+@all')
  commands = await redis.watch()
  services = await startEchoingServices()
  receiver = await TraceReceiver.start(6)
  await makeLogins()
  program = await InstalledProgram.built()
  for (const name of ['reports', '.data']) mkdirSync(join(program.folder, name), { mode: 0o700 })
  worker = program.startWorker(filesOf(environment(), 'worker'), flags())
  await worker.printed("Conclave's worker runs")
  api = program.startApi(environment(), flags())
  url = await api.ready()
  const { CODE_FROM_STRINGS: _, VAULT_TOKEN: __, ...compiling } = environment()
  const appRole = { VAULT_ROLE_ID: 'conclave', VAULT_SECRET_ID: passwords.vaultSecretId }
  production = program.startApi({ ...compiling, ...appRole, NODE_ENV: 'production' }, flags())
  productionUrl = await production.ready()
  await makeTokens()
  world = new MarkedWorld(url, texts, tokens, database)
  operations = everyOperation(await schemaOf(url, tokens.alice))
}

async function makeLogins(): Promise<void> {
  const make = (login: string, password: string, rest: string) =>
    `create role ${login} login password '${password}' ${rest}`
  await database.query(make(logins.owner, passwords.owner, 'in role conclave_api, conclave_worker'))
  await database.query(make(logins.api, passwords.api, 'in role conclave_api'))
  await database.query(make(logins.worker, passwords.worker, 'in role conclave_worker'))
}

function environment(): Record<string, string> {
  return {
    NODE_ENV: 'development',
    PORT: '0',
    LOG_LEVEL: 'trace',
    // Every operation is done without, so that nothing is found out later to need it.
    CODE_FROM_STRINGS: 'refused',
    DATA_DIR: join(program.folder, '.data'),
    API_DATABASE_URL: databaseUrl(logins.api, passwords.api),
    WORKER_DATABASE_URL: databaseUrl(logins.worker, passwords.worker),
    REDIS_URL: redisUrl(passwords.redis),
    MASTER_KEY: 'local:now',
    // Metrics have the names of master keys, and no other words that come from outside.
    MASTER_KEYS_RETIRING: `local:before,vault:transit/conclave,aws-kms:alias/conclave,local:${shown}`,
    MASTER_SECRETS: `now=${masterSecrets.now},before=${masterSecrets.before},${shown}=${randomBytes(32).toString('base64')}`,
    VAULT_ADDR: services.url,
    VAULT_TOKEN: passwords.vault,
    AWS_ENDPOINT_URL_KMS: services.url,
    AWS_REGION: 'eu-central-1',
    ...awsCredentials,
    AUTH_JWT_SECRET: passwords.jwt,
    METRICS_PORT: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${passwords.traces}`,
    OTEL_SERVICE_NAME: shown,
    METRICS_TOKEN: passwords.metrics,
    KEY_BITS: '2048',
    KEY_POOL_TARGET: '30',
    SCAN_EVERY: 'PT1S',
    RATE_LIMIT_SENDS: '100000/PT1S',
    RATE_LIMIT_CREATES: '100000/PT1S',
    RATE_LIMIT_KEY_OPERATIONS: '100000/PT1S',
    RATE_LIMIT_REFUSALS: '100000/PT1S',
    RATE_LIMIT_CONNECTIONS: '100000/PT1S',
    FAULT_FILE: write('fault', JSON.stringify({ shown, hidden }))
  }
}

const databaseUrl = (login: string, password: string) =>
  Object.assign(new URL(database.url), { username: login, password }).href
const redisUrl = (password: string) => Object.assign(new URL(redis.url), { username: 'conclave', password }).href

/** The same with its secrets in files. */
function filesOf(env: Record<string, string>, part: string): Record<string, string> {
  const secret = [
    'API_DATABASE_URL',
    'WORKER_DATABASE_URL',
    'REDIS_URL',
    'MASTER_SECRETS',
    'VAULT_TOKEN',
    'AUTH_JWT_SECRET',
    'METRICS_TOKEN'
  ]
  // For what is sent with traces there is no file.
  const known = Object.entries(env).filter(
    ([name]) => !(name in awsCredentials) && name !== 'OTEL_EXPORTER_OTLP_HEADERS'
  )
  const entries = known.map(([name, value]) =>
    secret.includes(name) ? [`${name}_FILE`, write(`${part}-${name}`, value)] : [name, value]
  )
  const profile = Object.entries(awsCredentials).map(([name, value]) => `${name.toLowerCase()}=${value}`)
  const aws = { AWS_SHARED_CREDENTIALS_FILE: write(`${part}-aws`, ['[default]', ...profile].join('\n')) }
  return { ...Object.fromEntries(entries), ...aws, SHOWN: shown }
}

/** Gives a command that ends as it should, and keeps what it prints. The key services refuse, which only one needs to hear. */
async function give({ args, code, env = {} }: GivenCommand): Promise<void> {
  const { METRICS_PORT: _, OTEL_EXPORTER_OTLP_ENDPOINT: __, ...rest } = environment()
  const ended = await program.command(args, { ...rest, MASTER_KEYS_RETIRING: `local:before,local:${shown}`, ...env })
  expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(code)
  for (const [token] of ended.stdout.matchAll(TOKEN)) secrets.push(signatureOf('token of a command', token))
  printed.push(ended.stdout.replace(TOKEN, 'a token'), ended.stderr)
}

const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g

async function metricsOf(name: string, running: RunningProgram): Promise<Written> {
  const [, url = ''] = /Metrics:? +(\S+)/.exec(running.output) ?? []
  await expect(scrape(url)).rejects.toThrow('401')
  return { [`metrics of the ${name}`]: (await scrape(url, passwords.metrics)).text }
}

/** Outside of what is searched. */
function write(name: string, text: string): string {
  const path = join(program.folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function flags(): string[] {
  const reports = [
    '--report-on-signal',
    '--report-uncaught-exception',
    `--report-directory=${join(program.folder, 'reports')}`
  ]
  return [`--title=${shown}`, `--import=${hook}`, ...reports]
}

async function makeTokens(): Promise<void> {
  const config = { jwtSecret: passwords.jwt, jwksUrl: null, issuer: null, audience: null }
  const sign = async (userId: string, name: string | undefined, scopes: string[], lifetime?: 'PT1S') =>
    (await signToken(config, lifetime ? yesterday : systemClock, { userId, name, scopes }, lifetime)).token
  tokens.alice = await sign('alice', names.alice, ['keys:read', 'keys:admin'])
  tokens.bob = await sign('bob', names.bob, [])
  tokens.mallory = await sign('mallory', undefined, [])
  tokens.expired = await sign('alice', names.alice, [], 'PT1S')
  for (const [who, token] of Object.entries(tokens)) secrets.push(signatureOf(`token of ${who}`, token))
}

const yesterday = { now: () => new Date(Date.now() - 24 * 60 * 60 * 1000) }

function signatureOf(what: string, token: string): Marked {
  return markedText(what, token.split('.')[2] ?? token)
}

/** Alice's, with the signature of somebody else. */
function forged(): string {
  const [header, payload] = tokens.alice.split('.')
  return [header, payload, tokens.bob.split('.')[2]].join('.')
}

function rememberToken(data: unknown): void {
  const token = (data as { devToken?: { token: string } } | null)?.devToken?.token
  if (token) secrets.push(signatureOf('token of the server', token))
}

function operationOf(coordinate: string): RootOperation {
  const found = operations.find((operation) => operation.coordinate === coordinate)
  if (!found) throw new Error(`${coordinate} is not in the schema any more`)
  return found
}

interface Asked {
  kind: RootOperation['kind']
  query: string
  variables: Variables
  coordinate: string
}

async function successOf({ coordinate, kind, text }: RootOperation): Promise<Asked> {
  const variables = (await DRIVERS[coordinate]?.variables(world)) ?? {}
  return { coordinate, kind, query: text, variables }
}

/** Over which transport, and of which server. */
interface Way {
  transport: Transport
  at: string
}

async function perform({ coordinate, kind, query, variables }: Asked, { transport, at }: Way) {
  if (kind !== 'subscription' || transport === 'HTTP')
    return await firstResult(transport, at, tokens.alice, { query, variables })
  const event = firstEvent(transport, at, tokens.alice, { query, variables })
  const provoke = DRIVERS[coordinate]?.provoke
  let isOver = false
  const settled = event.then(() => {
    isOver = true
  })
  while (provoke && !isOver) {
    await provoke(world, variables)
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  return await event
}

/** In every way but one that changes something: by others, and as a request that is none. */
async function failWith(asked: Asked, way: Way): Promise<void> {
  const operation = operationOf(asked.coordinate)
  await tellFailure(asked, { ...way, token: tokens.mallory })
  for (const token of [given.refused, forged(), tokens.expired])
    expect(await tellFailure(asked, { ...way, token })).not.toBeNull()
  // Without arguments nothing is unfit.
  if (operation.field.args.length > 0) {
    const unfit = { query: operation.text, variables: unfitVariables(operation, given.unfit) }
    expect(await tellFailure(unfit, { ...way, token: tokens.alice })).not.toBeNull()
  }
  for (const query of literalTexts(operation, given.literal))
    expect(await tellFailure({ query, variables: {} }, { ...way, token: tokens.alice })).not.toBeNull()
}

/** Of a system that is out of order: it may fail, or still succeed. */
async function performAnyway(asked: Asked, way: Way): Promise<void> {
  if (asked.kind === 'subscription') return
  const { errors } = await perform(asked, way)
  if (errors) told.push(JSON.stringify(errors))
}

async function performEverywhere(asked: Asked): Promise<void> {
  for (const transport of TRANSPORTS) await performAnyway(asked, { transport, at: url })
  await performAnyway(asked, { transport: 'HTTP', at: productionUrl })
}

async function tellRefusal(response: Response): Promise<void> {
  expect(response.status).toBeGreaterThanOrEqual(400)
  await tell(response)
}

async function tell(response: Response): Promise<void> {
  told.push(`${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`)
}

/** An export of alice's that a worker has written. */
async function writtenExport(): Promise<string> {
  const id = await world.orderedExport()
  const query = 'query ($id: ID!) { conversationExport(id: $id) { state } }'
  await vi.waitFor(
    async () => {
      const { conversationExport } = await world.run<{ conversationExport: object }>('alice', query, { id })
      expect(conversationExport).toEqual({ state: 'SUCCEEDED' })
    },
    { timeout: 20_000 }
  )
  return id
}

/** @returns what the client was told, or null where nothing has failed */
async function tellFailure(
  asked: Pick<Asked, 'query' | 'variables'>,
  { transport, at, token }: Way & { token: string }
): Promise<string | null> {
  const isSubscription = asked.query.startsWith('subscription') && transport !== 'HTTP'
  if (isSubscription && token === tokens.mallory) return null
  const { errors } = await firstResult(transport, at, token, { query: asked.query, variables: asked.variables })
  if (!errors) return null
  const words = JSON.stringify(errors)
  told.push(words)
  return words
}

async function closeOf(message: string, at: string): Promise<string> {
  const socket = new WebSocket(`${at.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  socket.on('open', () => socket.send(message))
  return await new Promise((resolve) => {
    socket.on('error', () => {})
    socket.on('close', (code, reason) => resolve(`${code} ${reason}`))
  })
}

/** One after the other: who locks them all at once may wait for somebody who waits for one. */
async function onEveryTable(change: string): Promise<void> {
  const tables = await database.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migrations'`)
  for (const { name } of tables) await database.query(`alter table ${name} ${change}`)
}

async function reportsOf(...programs: RunningProgram[]): Promise<void> {
  const reports = () => readdirSync(join(program.folder, 'reports'))
  for (const [index, running] of programs.entries()) {
    running.send('SIGUSR2')
    await vi.waitFor(() => expect(reports()).toHaveLength(index + 1), { timeout: 20_000 })
  }
}

/** @returns everything that the process has ever printed */
async function crash(running: RunningProgram): Promise<string> {
  running.send('SIGHUP')
  const { code, output } = await running.finished()
  expect(code).toBe(1)
  return output
}

async function showItself(): Promise<void> {
  const bytes = Buffer.from(shown)
  await database.query('create table canary (words text, bytes bytea, hex text, base64 text)')
  await database.query('insert into canary values ($1, $2, $3, $4)', [
    shown,
    bytes,
    bytes.toString('hex'),
    Buffer.from(`a ${shown}`).toString('base64')
  ])
  await database.query(`do $$ begin raise warning '${shown}'; end $$`)
  writeFileSync(join(program.folder, '.data', 'canary'), shown)
  const client = new Redis(redis.url)
  await client.set('canary', shown)
  await client.publish('canary', shown)
  client.disconnect()
}
