import { join } from 'node:path'
import { createJobQueue, type QueuePlace } from '../jobs/queue.js'
import { QueueOutage } from '../jobs/queue-outage.js'
import { watchQueues } from '../jobs/watched-queues.js'
import { type Clock, systemClock } from './clock.js'
import type { Config } from './config.js'
import { registerKeyDefaults } from './conversation-key/key-defaults.js'
import { KeySupply } from './conversation-key/key-supply.js'
import { Keyring } from './conversation-key/keyring.js'
import { rotateOrPostpone } from './conversation-key/rotate-due.js'
import { SendingKeys } from './conversation-key/sending-keys.js'
import { fingerprint, type generateRsaKeyPair } from './crypto/key-transport.js'
import { Database } from './database/database.js'
import { openDatabaseAccess, type Part, type Purpose, prepareDataDir } from './database-access.js'
import { ActivityLimit } from './delivery/activity.js'
import { ConversationFeeds } from './delivery/conversation-feeds.js'
import { Memberships } from './delivery/memberships.js'
import { PostgresSignals } from './delivery/postgres-signals.js'
import { ReadMarks } from './delivery/read-marks.js'
import { RedisSignals } from './delivery/redis-signals.js'
import { developmentSecret, existingDevelopmentSecret } from './development-secrets.js'
import { CompilingExecutor, plainExecutor } from './graphql/compiling-executor.js'
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
import { watchKeys } from './metrics/key-gauges.js'
import { Metrics } from './metrics/metrics.js'
import { MetricsAccess } from './metrics/metrics-access.js'
import { watchStanding } from './metrics/standing-gauges.js'
import { MemoryBuckets } from './rate-limits/buckets.js'
import { LimitsRedis } from './rate-limits/limits-redis.js'
import { Places } from './rate-limits/places.js'
import { RateLimits } from './rate-limits/rate-limits.js'
import { RedisBuckets } from './rate-limits/redis-buckets.js'
import { RedisPlaces } from './rate-limits/redis-places.js'
import { Refusals } from './rate-limits/refusals.js'
import type { Services, Settings } from './services.js'
import { StartError } from './start-error.js'

export interface Composition<P extends Part = Part> {
  /** Of each part of the process, which has the database as its own role. */
  services: Record<P, Services>
  /** Where the database is, for people: never with a password. */
  databasePlace: string
  queuePlaces: Record<P, QueuePlace>
  close(): Promise<void>
}

/** Runs the releases in the opposite order; one that fails is logged, and the others run all the same. */
export async function releaseAll(releases: (() => Promise<void>)[], log: Logger): Promise<void> {
  for (const release of releases.splice(0).reverse()) {
    await release().catch((error: Error) => log.error({ reason: error }, 'closing failed'))
  }
}

/** What is composed, and for what. */
interface Making<P extends Part> {
  parts: readonly P[]
  clock?: Clock
  generateKeyPair?: typeof generateRsaKeyPair
  purpose?: Purpose
  /** Ends the waiting for a database that is not there. */
  signal?: AbortSignal
}

/** A part's own way into the database. */
interface PartStores<P extends Part = Part> {
  part: P
  database: Database
  queuePlace: QueuePlace
}

/** What the parts of a process have in common. */
interface Shared
  extends Pick<
    Services,
    | 'clock'
    | 'log'
    | 'authentication'
    | 'keyDefaultsId'
    | 'masterKeys'
    | 'masterKeyHealth'
    | 'signals'
    | 'metrics'
    | 'metricsAccess'
    | 'limitsRedis'
    | 'rateLimits'
    | 'places'
  > {
  config: Config
}

/** Builds every object, in order, and gives back what closes them, in the opposite order. */
export async function compose<P extends Part>(
  config: Config,
  log: Logger,
  { parts, clock = systemClock, generateKeyPair, purpose = 'SERVER', signal = new AbortController().signal }: Making<P>
): Promise<Composition<P>> {
  const opened: (() => Promise<void>)[] = []
  const close = () => releaseAll(opened, log)
  try {
    const access = await openDatabaseAccess(config, parts, log, purpose, signal)
    opened.push(() => access.close())
    const outage = new QueueOutage(log)
    const stores: PartStores<P>[] = []
    for (const part of parts) {
      const database = await Database.open(access.login(part), config.databasePoolMax, log)
      opened.push(() => database.close())
      stores.push({ part, database, queuePlace: { database: access.login(part), redisUrl: config.redisUrl, outage } })
    }
    const shared = await openShared(config, log, clock, purpose, stores, opened)
    const services = stores.map((store) => ({
      part: store.part,
      services: composeServices(shared, store, opened, generateKeyPair)
    }))
    watch(services)
    const queuePlaces = stores.map(({ part, queuePlace }) => [part, queuePlace])
    return {
      services: Object.fromEntries(services.map(({ part, services }) => [part, services])) as Record<P, Services>,
      queuePlaces: Object.fromEntries(queuePlaces),
      databasePlace: access.place,
      close
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Has what is not counted as it happens looked up when metrics are read, by the part that may. */
function watch(parts: readonly { part: Part; services: Services }[]): void {
  const [first] = parts
  if (first) watchStanding(first.services)
  for (const { part, services } of parts) if (part === 'worker') watchKeys(services)
}

/** Whatever asks the database here does so as the first part: every part may. */
async function openShared(
  config: Config,
  log: Logger,
  clock: Clock,
  purpose: Purpose,
  [first]: readonly PartStores[],
  opened: (() => Promise<void>)[]
): Promise<Shared> {
  if (!first) throw new Error('a process has a part')
  const { database, queuePlace } = first
  const signals = config.redisUrl
    ? new RedisSignals(config.redisUrl, log)
    : await PostgresSignals.open(queuePlace.database, log)
  opened.push(() => signals.close())

  const masterKeys = await openMasterKeys(config, log, () => generatedMasterSecret(config, database))
  opened.push(() => masterKeys.close())
  const masterKeyHealth = new MasterKeyHealth(masterKeys)
  reportMasterKeys(await masterKeyHealth.states(config.masterKeyTimeoutMs), log)
  await reportMissingMasterKeys(database, masterKeys, log)
  for (const key of masterKeys.all) await requireRightKey(database, key)
  const authentication = { ...config.authentication, jwtSecret: jwtSecret(config) }
  // A tool may run with another environment: the defaults of the deployment are those of its servers.
  const keyDefaultsId =
    purpose === 'SERVER' ? await registerKeyDefaults({ database, now: clock.now() }, config.keyPolicy) : 0
  const metrics = new Metrics()
  const metricsAccess = new MetricsAccess(config.metricsToken)
  const measuring = { metrics, metricsAccess }
  const limits = openLimits(config, clock, log, opened)
  const keys = { masterKeys, masterKeyHealth, keyDefaultsId }
  return { config, log, clock, signals, authentication, ...keys, ...measuring, ...limits }
}

function composeServices(
  { config, ...shared }: Shared,
  { database, queuePlace }: PartStores,
  opened: (() => Promise<void>)[],
  generateKeyPair: Making<Part>['generateKeyPair']
): Services {
  const { log, clock, signals, masterKeys, authentication, keyDefaultsId, metrics } = shared
  const keyring = new Keyring(
    { database, masterKeys, metrics, log },
    { ttlMs: config.dataKeyCacheTtlMs, max: config.dataKeyCacheMax }
  )
  // A key that was destroyed, by whatever process, opens nothing here any more.
  signals.onKeyChange((conversationId) =>
    conversationId === null ? keyring.forgetAll() : keyring.forget(conversationId)
  )
  const keySupply = new KeySupply({ database, masterKeys, metrics, clock, log }, config.keyBits, generateKeyPair)
  const jobs = createJobQueue(queuePlace, log)
  opened.push(() => jobs.close())
  const watchedQueues = watchQueues(queuePlace)
  opened.push(() => watchedQueues.close())
  opened.push(async () => keyring.close())
  const settings = withoutSecrets(config)
  const sendPace = new SendPace({ database, clock, log })
  const sendingKeys = new SendingKeys(
    {
      database,
      keyring,
      metrics,
      clock,
      rotateIfDue: (id) => rotateOrPostpone({ database, keySupply, keyDefaultsId, clock, config: settings }, id)
    },
    { maxMessages: config.dataKeyMaxMessages, maxAge: config.dataKeyMaxAge }
  )
  const activityLimit = new ActivityLimit(clock)
  return {
    ...shared,
    config: settings,
    database,
    users: new Users(database, clock),
    authenticate: createAuthenticate(authentication, clock, { mustExpire: config.mode === 'production' }),
    keySupply,
    jobs,
    watchedQueues,
    keyring,
    sendingKeys,
    messageOpener: new MessageOpener({ database, keyring, metrics, log }),
    sendPace,
    sendGroups: new SendGroups({ database, sendPace, sendingKeys, metrics, clock, config: settings }),
    feeds: new ConversationFeeds({ database, signals, metrics, clock, log }),
    memberships: new Memberships({ database, log }),
    activityLimit,
    readMarks: new ReadMarks(signals, activityLimit),
    documents: new DocumentStore(),
    costLimit: new CostLimit(config.queryLimits),
    refusals: new Refusals(config.rateLimits?.REFUSALS ?? null, clock),
    executor: config.codeFromStrings ? new CompilingExecutor() : plainExecutor,
    persistedQueries: new PersistedQueries(config.persistedQueries)
  }
}

/** Counted by all processes together where they have a Redis in common. */
function openLimits(
  { rateLimits, socketsPerUser, redisUrl }: Config,
  clock: Clock,
  log: Logger,
  opened: (() => Promise<void>)[]
): Pick<Services, 'limitsRedis' | 'rateLimits' | 'places'> {
  const memory = new MemoryBuckets(clock)
  if (!redisUrl) {
    const places = new Places(socketsPerUser, null)
    return { limitsRedis: null, rateLimits: new RateLimits(rateLimits, memory), places }
  }
  const redis = new LimitsRedis(redisUrl, log)
  const shared = new RedisPlaces(redis)
  opened.push(async () => {
    shared.close()
    await redis.close()
  })
  return {
    limitsRedis: redis,
    rateLimits: new RateLimits(rateLimits, new RedisBuckets(redis, memory)),
    places: new Places(socketsPerUser, shared)
  }
}

/** What is secret in the configuration goes to whom it is for, and no further. */
function withoutSecrets(config: Config): Settings {
  const {
    openMasterKey: _,
    authentication: __,
    databaseUrl: ___,
    redisUrl: ____,
    apiDatabaseUrl: _____,
    workerDatabaseUrl: ______,
    metricsToken: _______,
    ...settings
  } = config
  return settings
}

/** @param developmentSecret gives the secret of a master key that development mode generates */
export async function openMasterKeys(
  config: Config,
  log: Logger,
  developmentSecret: () => Promise<string>
): Promise<MasterKeys> {
  const context = { log, timeoutMs: config.masterKeyTimeoutMs, developmentSecret }
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
export async function requireRightKey(database: Database, key: MasterKey): Promise<void> {
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
