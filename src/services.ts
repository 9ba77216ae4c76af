import type { Clock } from './clock.js'
import type { AuthenticationConfig, Config } from './config.js'
import type { KeySupply } from './conversation-key/key-supply.js'
import type { Keyring } from './conversation-key/keyring.js'
import type { SendingKeys } from './conversation-key/sending-keys.js'
import type { Database } from './database/database.js'
import type { ActivityLimit } from './delivery/activity.js'
import type { ConversationFeeds } from './delivery/conversation-feeds.js'
import type { Memberships } from './delivery/memberships.js'
import type { ReadMarks } from './delivery/read-marks.js'
import type { Signals } from './delivery/signals.js'
import type { Executor } from './graphql/compiling-executor.js'
import type { CostLimit } from './graphql/cost-limit.js'
import type { DocumentStore } from './graphql/document-store.js'
import type { PersistedQueries } from './graphql/persisted-queries.js'
import type { Authenticate } from './identity/authenticate.js'
import type { Users } from './identity/users.js'
import type { JobQueue, WatchedQueues } from './key-life/job-queue.js'
import type { Logger } from './log.js'
import type { MasterKeyHealth } from './master-key/master-key-health.js'
import type { MasterKeys } from './master-key/master-keys.js'
import type { MessageOpener } from './message/message-opener.js'
import type { SendGroups } from './message/send-groups.js'
import type { SendPace } from './message/send-pace.js'
import type { Metrics } from './metrics/metrics.js'
import type { MetricsAccess } from './metrics/metrics-access.js'
import type { LimitsRedis } from './rate-limits/limits-redis.js'
import type { Places } from './rate-limits/places.js'
import type { RateLimits } from './rate-limits/rate-limits.js'
import type { Refusals } from './rate-limits/refusals.js'

/** The configuration without its secrets. */
export type Settings = Omit<
  Config,
  | 'openMasterKey'
  | 'authentication'
  | 'databaseUrl'
  | 'apiDatabaseUrl'
  | 'workerDatabaseUrl'
  | 'redisUrl'
  | 'metricsToken'
>

/** Everything that a use case may work with. Each one names the few that it needs. */
export interface Services {
  config: Settings
  clock: Clock
  log: Logger
  database: Database
  users: Users
  /** With the secret that development mode generates, where none was given. */
  authentication: AuthenticationConfig & { jwtSecret: string }
  authenticate: Authenticate
  /** Number of the deployment's defaults for key policies, which `config.keyPolicy` holds. */
  keyDefaultsId: number
  keySupply: KeySupply
  masterKeys: MasterKeys
  masterKeyHealth: MasterKeyHealth
  jobs: JobQueue
  watchedQueues: WatchedQueues
  keyring: Keyring
  sendingKeys: SendingKeys
  messageOpener: MessageOpener
  sendPace: SendPace
  sendGroups: SendGroups
  signals: Signals
  feeds: ConversationFeeds
  memberships: Memberships
  activityLimit: ActivityLimit
  /** What all processes count together with; null without Redis. */
  limitsRedis: LimitsRedis | null
  rateLimits: RateLimits
  places: Places
  documents: DocumentStore
  costLimit: CostLimit
  refusals: Refusals
  /** Of queries and mutations, whatever transport they come over. */
  executor: Executor
  persistedQueries: PersistedQueries
  readMarks: ReadMarks
  /** What this process counts of itself: of all its parts together. */
  metrics: Metrics
  metricsAccess: MetricsAccess
}
