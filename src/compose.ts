import { accessSync, constants, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { createJobQueue, type QueuePlace } from '../jobs/queue.js'
import { QueueOutage } from '../jobs/queue-outage.js'
import { type Clock, systemClock } from './clock.js'
import type { Config } from './config.js'
import { registerKeyDefaults } from './conversation-key/key-defaults.js'
import { KeySupply } from './conversation-key/key-supply.js'
import { Keyring } from './conversation-key/keyring.js'
import { rotateOrPostpone } from './conversation-key/rotate-due.js'
import { SendingKeys } from './conversation-key/sending-keys.js'
import { fingerprint } from './crypto/key-transport.js'
import { Database } from './database/database.js'
import { type EmbeddedPostgres, joinEmbeddedPostgres, startEmbeddedPostgres } from './database/embedded-postgres.js'
import { migrate } from './database/migrate.js'
import { ActivityLimit } from './delivery/activity.js'
import { ConversationFeeds } from './delivery/conversation-feeds.js'
import { PostgresSignals } from './delivery/postgres-signals.js'
import { ReadMarks } from './delivery/read-marks.js'
import { RedisSignals } from './delivery/redis-signals.js'
import { developmentSecret, existingDevelopmentSecret } from './development-secrets.js'
import { CompilingExecutor } from './graphql/compiling-executor.js'
import { CostLimit } from './graphql/cost-limit.js'
import { DocumentStore } from './graphql/document-store.js'
import { PersistedQueries } from './graphql/persisted-queries.js'
import { createAuthenticate } from './identity/authenticate.js'
import { Users } from './identity/users.js'
import { countByMasterKey } from './key-life/key-census.js'
import type { Logger } from './log.js'
import type { MasterKey } from './master-key/master-key.js'
import { MasterKeyHealth, type MasterKeyState } from './master-key/master-key-health.js'
import { MasterKeys } from './master-key/master-keys.js'
import { opensItsKeys } from './master-key/opens-its-keys.js'
import { MessageOpener } from './message/message-opener.js'
import { SendGroups } from './message/send-groups.js'
import { SendPace } from './message/send-pace.js'
import type { Services } from './services.js'
import { StartError } from './start-error.js'

export interface Composition {
  services: Services
  /** Where the database is, for people: never with a password. */
  databasePlace: string
  queuePlace: QueuePlace
  close(): Promise<void>
}

/** Runs the releases in the opposite order; one that fails is logged, and the others run all the same. */
export async function releaseAll(releases: (() => Promise<void>)[], log: Logger): Promise<void> {
  for (const release of releases.splice(0).reverse()) {
    await release().catch((error: Error) => log.error({ reason: error.message }, 'closing failed'))
  }
}

/** What is composed: a server, or a tool that works beside one, on the same database. */
export type Purpose = 'SERVER' | 'TOOL'

/** Builds every object, in order, and gives back what closes them, in the opposite order. */
export async function compose(
  config: Config,
  log: Logger,
  clock: Clock = systemClock,
  purpose: Purpose = 'SERVER'
): Promise<Composition> {
  const opened: (() => Promise<void>)[] = []
  const close = () => releaseAll(opened, log)
  try {
    const embedded = config.databaseUrl ? null : await openEmbedded(config, purpose)
    if (embedded) opened.push(() => embedded.stop())
    const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
    await migrate(databaseUrl).catch((error: unknown) => {
      throw unreachableDatabase(databaseUrl, error)
    })
    const database = await Database.open(databaseUrl, config.databasePoolMax, log)
    opened.push(() => database.close())
    const signals = config.redisUrl
      ? new RedisSignals(config.redisUrl, log)
      : await PostgresSignals.open(databaseUrl, log)
    opened.push(() => signals.close())

    const masterKeys = await openMasterKeys(config, database, log)
    opened.push(() => masterKeys.close())
    const masterKeyHealth = new MasterKeyHealth(masterKeys)
    reportMasterKeys(await masterKeyHealth.states(config.masterKeyTimeoutMs), log)
    await reportMissingMasterKeys(database, masterKeys, log)
    for (const key of masterKeys.all) await requireRightKey(database, key)
    const authentication = { ...config.authentication, jwtSecret: jwtSecret(config) }
    const keyring = new Keyring(
      { database, masterKeys, log },
      { ttlMs: config.dataKeyCacheTtlMs, max: config.dataKeyCacheMax }
    )
    // A key that was destroyed, by whatever process, opens nothing here any more.
    signals.onKeyChange((conversationId) =>
      conversationId === null ? keyring.forgetAll() : keyring.forget(conversationId)
    )
    // A tool may run with another environment: the defaults of the deployment are those of its servers.
    const keyDefaultsId =
      purpose === 'SERVER' ? await registerKeyDefaults({ database, now: clock.now() }, config.keyPolicy) : 0
    const keySupply = new KeySupply({ database, masterKeys, clock, log }, config.keyBits)
    const queuePlace = { databaseUrl, redisUrl: config.redisUrl, outage: new QueueOutage(log) }
    const jobs = createJobQueue(queuePlace, log)
    opened.push(() => jobs.close())
    // What is secret in the configuration goes to whom it is for, and no further.
    const { openMasterKey: _, authentication: __, databaseUrl: ___, redisUrl: ____, ...settings } = config
    opened.push(async () => keyring.close())
    const sendPace = new SendPace({ database, clock, log })
    const sendingKeys = new SendingKeys(
      {
        database,
        keyring,
        clock,
        rotateIfDue: (id) => rotateOrPostpone({ database, keySupply, keyDefaultsId, clock, config: settings }, id)
      },
      { maxMessages: config.dataKeyMaxMessages, maxAge: config.dataKeyMaxAge }
    )
    const activityLimit = new ActivityLimit()
    const services: Services = {
      config: settings,
      clock,
      log,
      database,
      users: new Users(database, clock),
      authentication,
      authenticate: createAuthenticate(authentication, clock),
      keyDefaultsId,
      keySupply,
      masterKeys,
      masterKeyHealth,
      jobs,
      keyring,
      sendingKeys,
      messageOpener: new MessageOpener({ database, keyring, log }),
      sendPace,
      sendGroups: new SendGroups({ database, sendPace, sendingKeys, clock, config: settings }),
      signals,
      feeds: new ConversationFeeds({ database, signals, clock, log }),
      activityLimit,
      readMarks: new ReadMarks(signals, activityLimit),
      documents: new DocumentStore(),
      costLimit: new CostLimit(config.queryLimits.cost),
      executor: new CompilingExecutor(),
      persistedQueries: new PersistedQueries(config.persistedQueries)
    }
    return { services, databasePlace: embedded?.folder ?? withoutPassword(databaseUrl), queuePlace, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Creates the data folder and checks that it can be used. */
export function prepareDataDir(config: Config): string {
  try {
    // Root's embedded PostgreSQL runs as another user, who has to pass through this folder; what lies in it is closed.
    mkdirSync(config.dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
    accessSync(config.dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return realpathSync(config.dataDir)
  } catch (error) {
    throw unusableDataDir(config, error)
  }
}

async function openEmbedded(config: Config, purpose: Purpose): Promise<EmbeddedPostgres> {
  const dataDir = prepareDataDir(config)
  const open = purpose === 'SERVER' ? startEmbeddedPostgres : joinEmbeddedPostgres
  try {
    return await open(dataDir, developmentSecret(dataDir, 'postgres-password'))
  } catch (error) {
    throw unusableDataDir(config, error)
  }
}

function unusableDataDir(config: Config, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC'].includes(code)) return error
  return new StartError(
    `The data folder ${config.dataDir} cannot be used (${code}). Make it writable, or set DATA_DIR to another folder.`
  )
}

/** Codes of node and of PostgreSQL (SQLSTATE classes 28 and 3D) for a database that does not let us in. */
const UNREACHABLE = /^(ECONN.*|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|28\w{3}|3D\w{3}|57P03|no answer)$/

function unreachableDatabase(databaseUrl: string, error: unknown): unknown {
  // The driver has no code for a server that accepts a connection and then says nothing.
  const { code = 'no answer' } = error as { code?: string }
  if (!UNREACHABLE.test(code)) return error
  return new StartError(
    `The database ${withoutPassword(databaseUrl)} cannot be reached (${code}). Check DATABASE_URL, and that it runs and lets this user in.`
  )
}

async function openMasterKeys(config: Config, database: Database, log: Logger): Promise<MasterKeys> {
  const context = {
    log,
    timeoutMs: config.masterKeyTimeoutMs,
    developmentSecret: () => generatedMasterSecret(config, database)
  }
  const open = (uri: string) => config.openMasterKey(uri, context)
  return new MasterKeys(await open(config.masterKey), await Promise.all(config.retiringMasterKeys.map(open)))
}

/** The process serves what it can without a master key; whoever runs it reads here what is wrong. */
function reportMasterKeys(states: MasterKeyState[], log: Logger): void {
  for (const { uri, current, problem } of states) {
    const entry = { masterKey: uri, current }
    if (problem) log.error({ ...entry, ...problem }, 'master key cannot be used')
    else log.info(entry, 'master key can be used')
  }
}

/** One damaged key must not keep the process from starting; so many of them are no accident. */
const SAMPLES = 5

/** @throws StartError where the secret, or the key of a service, is not the one that its name stood for before */
async function requireRightKey(database: Database, key: MasterKey): Promise<void> {
  const stored = await database.keysUnder(key.uri, SAMPLES)
  const samples = stored.map(({ keyId, publicKey, wrappedPrivateKey }) => ({
    wrapped: wrappedPrivateKey,
    context: { keyId, fingerprint: fingerprint(publicKey) }
  }))
  if (await opensItsKeys(key, samples)) return
  throw new StartError(
    `${key.uri} is not the key that the private keys under this name were wrapped with. Put the right one back; a new one gets a name of its own.`
  )
}

/** What lies under a master key that this process was not given it cannot open; it serves everything else. */
async function reportMissingMasterKeys(database: Database, { uris }: MasterKeys, log: Logger): Promise<void> {
  for (const { uri, keys } of await countByMasterKey({ database })) {
    if (uris.includes(uri)) continue
    log.error(
      { masterKey: uri, keys },
      'private keys lie under a master key that this process does not have: name it in MASTER_KEYS_RETIRING, or they stay closed'
    )
  }
}

/** @throws StartError where keys lie under a secret of which the file is gone: a new one would open none of them */
async function generatedMasterSecret(config: Config, database: Database): Promise<string> {
  const dataDir = prepareDataDir(config)
  if (existingDevelopmentSecret(dataDir, 'master-secret') === null && (await database.hasKeysUnder('local:dev'))) {
    throw new StartError(
      `${join(dataDir, 'master-secret')} is missing, and without it nothing in the database can be read. Restore it, or remove the database to begin anew.`
    )
  }
  return developmentSecret(dataDir, 'master-secret')
}

function jwtSecret(config: Config): string {
  const { jwtSecret, jwksUrl } = config.authentication
  if (jwtSecret || jwksUrl) return jwtSecret ?? ''
  return developmentSecret(prepareDataDir(config), 'jwt-secret')
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  return `${url.protocol}//${url.host}${url.pathname}`
}
