import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { systemClock } from '../../src/clock.js'
import { signToken } from '../../src/identity/sign-token.js'
import { startEchoingVault } from '../support/marked-secrets/echoing-vault.js'
import {
  everyOperation,
  literalTexts,
  type RootOperation,
  schemaOf,
  unfitVariables
} from '../support/marked-secrets/every-operation.js'
import { firstEvent, firstResult } from '../support/marked-secrets/first-result.js'
import { malformedMessages, malformedRequests } from '../support/marked-secrets/malformed.js'
import { DRIVERS, MarkedWorld, type Variables } from '../support/marked-secrets/marked-world.js'
import {
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
  vault: newMarker('Vault'),
  metrics: newMarker('Metrics'),
  jwt: newMarker('JwtSecret')
}
const logins = { owner: newMarker('login'), api: newMarker('login'), worker: newMarker('login') }

let database: TestDatabase
let redis: RedisServer
let commands: { stop(): string }
let vault: Awaited<ReturnType<typeof startEchoingVault>>
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
const secretTokens: Marked[] = []

/** Queries and mutations, but for those that there are in development only. */
const EXECUTED = Object.keys(DRIVERS).filter(
  (coordinate) =>
    !coordinate.startsWith('Subscription.') && !['Mutation.devToken', 'Query.storedMessage'].includes(coordinate)
)

/** Of them, what is never compiled: for an abstract type, and for the default of an argument. */
const INTERPRETED = ['Query.node', 'Mutation.scheduleKeyDestruction']

const hook = fileURLToPath(new URL('../support/marked-secrets/fault-hook.mjs', import.meta.url))

describe.skipIf(!canStartRedis)('a secret', () => {
  beforeAll(start, 120_000)
  afterAll(async () => {
    await program.remove()
    commands.stop()
    await redis.stop()
    await vault.close()
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
    it.each(Object.keys(DRIVERS))('is part of %s, which succeeds', { timeout: 30_000 }, async (coordinate) => {
      const asked = await successOf(operationOf(coordinate))
      const isRefused = transport === 'HTTP' && asked.kind === 'subscription'
      const result = await perform(transport, asked)
      expect(result.errors !== undefined, JSON.stringify(result.errors)).toBe(isRefused)
      rememberToken(result.data)
      if (isRefused) told.push(JSON.stringify(result.errors))
    })

    it.each(Object.keys(DRIVERS))('is part of %s, which fails', { timeout: 30_000 }, async (coordinate) => {
      const operation = operationOf(coordinate)
      const refused = async (token: string, query: string, variables: Variables = {}) =>
        await tellFailure(transport, token, { query, variables })
      const { variables } = await successOf(operation)
      for (const token of [given.refused, forged(), tokens.expired]) {
        expect(await refused(token, operation.text, variables)).not.toBeNull()
      }
      await refused(tokens.mallory, operation.text, variables)
      const unfit = await refused(tokens.alice, operation.text, unfitVariables(operation, given.unfit))
      if (operation.field.args.length > 0) expect(unfit).not.toBeNull()
      for (const text of literalTexts(operation, given.literal)) {
        expect(await refused(tokens.alice, text)).not.toBeNull()
      }
    })
  })

  it.each(EXECUTED)(
    'in production is part of %s, compiled, which succeeds and fails',
    { timeout: 30_000 },
    async (coordinate) => {
      const operation = operationOf(coordinate)
      const asked = await successOf(operation)
      const refused = async (token: string, variables: Variables) =>
        await tellFailure('HTTP', token, { query: asked.query, variables }, productionUrl)
      // What comes again is compiled.
      await refused(tokens.mallory, asked.variables)
      const { errors } = await perform('HTTP', asked, productionUrl)
      expect(errors, JSON.stringify(errors)).toBeUndefined()
      for (const token of [tokens.mallory, tokens.alice]) await refused(token, asked.variables)
      for (const token of [forged(), tokens.expired]) expect(await refused(token, asked.variables)).not.toBeNull()
      const unfit = await refused(tokens.alice, unfitVariables(operation, given.unfit))
      if (operation.field.args.length > 0) expect(unfit).not.toBeNull()
      for (const query of literalTexts(operation, given.literal))
        expect(await tellFailure('HTTP', tokens.alice, { query, variables: {} }, productionUrl)).not.toBeNull()
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
      told.push(await file.text())
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

  it('is part of what the database refuses, whatever is asked', { timeout: 120_000 }, async () => {
    const prepared: Asked[] = []
    for (const operation of operations) prepared.push(await successOf(operation))
    await database.query('delete from pooled_keys')
    await database.query(BREAK_WRITING)
    for (const asked of prepared) await performEverywhere(asked)
    await vi.waitFor(() => expect(worker.output).toContain('job failed'), { timeout: 30_000 })
    await database.query(MEND_WRITING)
    await database.query('revoke select on conversations, messages, key_operations, key_events from conclave_api')
    for (const asked of prepared) await performEverywhere(asked)
    for (const { output } of [api, production]) {
      expect(output).toContain('violates check constraint')
      expect(output).toContain('permission denied for table')
    }
  })

  it('is part of what Vault refuses', async () => {
    expect(vault.asked()).toBeGreaterThan(0)
    expect(api.output).toMatch(/"masterKey":"vault:transit\/conclave","current":false,"kind":"REFUSED"/)
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
        'answers to what failed': told.join('\n')
      }
    }, 60_000)

    it('would be found in everything that is written', () => {
      const found = findMarked([markedText('it', shown)], written).map((line) => line.split(': …')[0])
      expect(found.map((line) => line?.replace(/report\.\d.*/, 'report')).sort()).toEqual([
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

    it('is nowhere', () => {
      const marked = [
        ...Object.entries({ ...texts, ...given, ...passwords, hidden }).map(([what, text]) => markedText(what, text)),
        ...Object.entries(masterSecrets).map(([what, base64]) => markedBytes(`master secret ${what}`, base64)),
        ...secretTokens
      ].filter(({ what }) => what !== 'clientMessageId')
      expect(findMarked(marked, written)).toEqual([])
    })

    it('that is a name, or the id that a client gives its message, is in its column alone', () => {
      const marked = Object.entries({ ...names, client: texts.clientMessageId }).map(([what, text]) =>
        markedText(what, text)
      )
      // A login that has failed, or a row that was refused: PostgreSQL's own log has the statement.
      const { 'statements of the connections': _, 'log of PostgreSQL': __, ...elsewhere } = written
      expect(findMarked(marked, elsewhere).map((line) => line.split(': …')[0])).toEqual([
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

async function start(): Promise<void> {
  database = await createTestDatabase()
  redis = await RedisServer.start('--user', 'conclave', 'on', `>${passwords.redis}`, '~*', '&*', '+@all')
  commands = await redis.watch()
  vault = await startEchoingVault()
  receiver = await TraceReceiver.start()
  await makeLogins()
  program = await InstalledProgram.built()
  for (const name of ['reports', '.data']) mkdirSync(join(program.folder, name), { mode: 0o700 })
  worker = program.startWorker(filesOf(environment(), 'worker'), flags())
  await worker.printed("Conclave's worker runs")
  api = program.startApi(environment(), flags())
  url = await api.ready()
  const { CODE_FROM_STRINGS: _, ...compiling } = environment()
  production = program.startApi({ ...compiling, NODE_ENV: 'production' }, flags())
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
  const database = (login: string, password: string) =>
    Object.assign(new URL(databaseUrl()), { username: login, password }).href
  return {
    NODE_ENV: 'development',
    PORT: '0',
    LOG_LEVEL: 'trace',
    // Every operation is done without, so that nothing is found out later to need it.
    CODE_FROM_STRINGS: 'refused',
    DATA_DIR: join(program.folder, '.data'),
    API_DATABASE_URL: database(logins.api, passwords.api),
    WORKER_DATABASE_URL: database(logins.worker, passwords.worker),
    REDIS_URL: Object.assign(new URL(redis.url), { username: 'conclave', password: passwords.redis }).href,
    MASTER_KEY: 'local:now',
    // Metrics have the names of master keys, and no other words that come from outside.
    MASTER_KEYS_RETIRING: `local:before,vault:transit/conclave,local:${shown}`,
    MASTER_SECRETS: `now=${masterSecrets.now},before=${masterSecrets.before},${shown}=${randomBytes(32).toString('base64')}`,
    VAULT_ADDR: vault.url,
    VAULT_TOKEN: passwords.vault,
    AUTH_JWT_SECRET: passwords.jwt,
    METRICS_PORT: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_SERVICE_NAME: shown,
    METRICS_TOKEN: passwords.metrics,
    KEY_BITS: '2048',
    KEY_POOL_TARGET: '30',
    SCAN_EVERY: 'PT1S',
    RATE_LIMIT_SENDS: '100000/PT1S',
    RATE_LIMIT_CREATES: '100000/PT1S',
    RATE_LIMIT_KEY_OPERATIONS: '100000/PT1S',
    RATE_LIMIT_CONNECTIONS: '100000/PT1S',
    FAULT_FILE: write('fault', JSON.stringify({ shown, hidden }))
  }
}

const databaseUrl = () => database.url

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
  const entries = Object.entries(env).map(([name, value]) =>
    secret.includes(name) ? [`${name}_FILE`, write(`${part}-${name}`, value)] : [name, value]
  )
  return { ...Object.fromEntries(entries), SHOWN: shown }
}

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
  for (const [who, token] of Object.entries(tokens)) secretTokens.push(signatureOf(`token of ${who}`, token))
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
  if (token) secretTokens.push(signatureOf('token of the server', token))
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

async function perform(transport: Transport, { coordinate, kind, query, variables }: Asked, at = url) {
  if (kind !== 'subscription' || transport === 'HTTP')
    return await firstResult(transport, at, tokens.alice, { query, variables })
  const event = firstEvent(transport, url, tokens.alice, { query, variables })
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

/** Of a system that is out of order: it may fail, or still succeed. */
async function performAnyway(transport: Transport, asked: Asked, at = url): Promise<void> {
  if (asked.kind === 'subscription') return
  const { errors } = await perform(transport, asked, at)
  if (errors) told.push(JSON.stringify(errors))
}

async function performEverywhere(asked: Asked): Promise<void> {
  for (const transport of TRANSPORTS) await performAnyway(transport, asked)
  await performAnyway('HTTP', asked, productionUrl)
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
  transport: Transport,
  token: string,
  asked: { query: string; variables: Variables },
  at = url
): Promise<string | null> {
  const isSubscription = asked.query.startsWith('subscription') && transport !== 'HTTP'
  if (isSubscription && token === tokens.mallory) return null
  const { errors } = await firstResult(transport, at, token, asked)
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

const TABLES = `
  select format('%I.%I', n.nspname, c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migrations'`
const onAll = (change: string) => `
  do $$ declare name text; begin
    for name in ${TABLES} loop execute 'alter table ' || name || ' ${change}'; end loop;
  end $$`
const BREAK_WRITING = onAll('add constraint out_of_order check (false) not valid')
const MEND_WRITING = onAll('drop constraint out_of_order')

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
