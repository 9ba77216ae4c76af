import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from './clock.js'
import type { Config } from './config.js'
import { KeySupply } from './conversation-key/key-supply.js'
import { Keyring } from './conversation-key/keyring.js'
import { SendingKeys } from './conversation-key/sending-keys.js'
import { masterSecretFrom } from './crypto/keys.js'
import { Database } from './database/database.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './database/embedded-postgres.js'
import { migrate } from './database/migrate.js'
import { PostgresSignals } from './delivery/postgres-signals.js'
import { developmentSecret, existingDevelopmentSecret } from './development-secrets.js'
import { createAuthenticate } from './identity/authenticate.js'
import { Users } from './identity/users.js'
import type { Logger } from './log.js'
import { LocalMasterKey } from './master-key/local-master-key.js'
import { MasterKeys } from './master-key/master-keys.js'
import { MessageOpener } from './message/message-opener.js'
import type { Services } from './services.js'
import { StartError } from './start-error.js'

export interface Composition {
  services: Services
  /** Where the database is, for people: never with a password. */
  databasePlace: string
  databaseUrl: string
  close(): Promise<void>
}

/** Builds every object, in order, and gives back what closes them, in the opposite order. */
export async function compose(config: Config, log: Logger, clock: Clock = systemClock): Promise<Composition> {
  const opened: (() => Promise<void>)[] = []
  const close = async () => {
    for (const release of opened.splice(0).reverse()) await release()
  }
  try {
    const embedded = config.databaseUrl ? null : await openEmbedded(config)
    if (embedded) opened.push(() => embedded.stop())
    const databaseUrl = config.databaseUrl ?? embedded?.url ?? ''
    await migrate(databaseUrl).catch((error: unknown) => {
      throw unreachableDatabase(databaseUrl, error)
    })
    const database = await Database.open(databaseUrl, config.databasePoolMax, log)
    opened.push(() => database.close())
    const signals = await PostgresSignals.open(databaseUrl, log)
    opened.push(() => signals.close())

    const masterKeys = createMasterKeys(config)
    const authentication = { ...config.authentication, jwtSecret: jwtSecret(config) }
    const keyring = new Keyring(
      { database, masterKeys, log },
      { ttlMs: config.dataKeyCacheTtlMs, max: config.dataKeyCacheMax }
    )
    const services: Services = {
      config,
      clock,
      log,
      database,
      users: new Users(database, clock),
      authentication,
      authenticate: createAuthenticate(authentication, clock),
      keySupply: new KeySupply({ database, masterKeys, clock }, config.keyBits),
      keyring,
      sendingKeys: new SendingKeys(
        { database, keyring, clock },
        { maxMessages: config.dataKeyMaxMessages, maxAge: config.dataKeyMaxAge }
      ),
      messageOpener: new MessageOpener({ keyring, log }),
      signals
    }
    return { services, databasePlace: embedded?.folder ?? withoutPassword(databaseUrl), databaseUrl, close }
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
    return realpathSync(config.dataDir)
  } catch (error) {
    throw unusableDataDir(config, error)
  }
}

async function openEmbedded(config: Config): Promise<EmbeddedPostgres> {
  const dataDir = prepareDataDir(config)
  const hasMasterSecret = config.masterSecrets !== null || existingDevelopmentSecret(dataDir, 'master-secret') !== null
  if (!hasMasterSecret && existingDevelopmentSecret(dataDir, 'postgres-password') !== null) {
    throw new StartError(
      `${join(dataDir, 'master-secret')} is missing, and without it nothing in this folder's database can be read. Restore it, or remove the folder to begin anew.`
    )
  }
  try {
    // Before anything is wrapped by it: a crash in between must not leave keys without their master key.
    if (!config.masterSecrets) developmentSecret(dataDir, 'master-secret')
    return await startEmbeddedPostgres(dataDir, developmentSecret(dataDir, 'postgres-password'))
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
const UNREACHABLE = /^(ECONN.*|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|28\w{3}|3D\w{3}|57P03)$/

function unreachableDatabase(databaseUrl: string, error: unknown): unknown {
  const { code = '' } = error as { code?: string }
  if (!UNREACHABLE.test(code)) return error
  return new StartError(
    `The database ${withoutPassword(databaseUrl)} cannot be reached (${code}). Check DATABASE_URL, and that it runs and lets this user in.`
  )
}

function createMasterKeys(config: Config): MasterKeys {
  const secrets = config.masterSecrets ?? new Map([['dev', developmentSecret(prepareDataDir(config), 'master-secret')]])
  const keyOf = (id: string) => new LocalMasterKey(id, masterSecretFrom(Buffer.from(secrets.get(id) ?? '', 'base64')))
  return new MasterKeys(keyOf(config.masterKeyId), config.retiringMasterKeyIds.map(keyOf))
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
