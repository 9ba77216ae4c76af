import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config.js'
import { checkLogin } from '../../database/check-login.js'
import { databaseLogin } from '../../database/database-login.js'
import { type DatabaseFacts, inspectDatabase } from '../../database/inspect-database.js'
import {
  type DatabaseUrls,
  findDatabase,
  PART_ROLES,
  URL_VARIABLES,
  unreachableDatabase
} from '../../database-access.js'
import { reasonOf } from '../../reason-of.js'
import type { OtherClock } from './examine-clock.js'
import { type Finding, fault, NEEDED, notChecked, ok, warning } from './finding.js'

const OLDEST = 130_000

export interface ExaminedDatabase {
  findings: Finding[]
  /** Null where nothing that needs the database can be looked at. */
  usable: DatabaseUrls | null
  close(): Promise<void>
}

interface Login {
  variable: string
  url: string
}

/** Reaches the database with every login that was given, looks at its version and migrations, and at what the logins may do. */
export async function examineDatabase(config: Config, clocks: OtherClock[]): Promise<ExaminedDatabase> {
  const embedded = !config.databaseUrl && !config.apiDatabaseUrl && !config.workerDatabaseUrl
  if (embedded && !existsSync(join(config.dataDir, 'postgres'))) {
    const words = `No server has started on ${config.dataDir} yet: conclave start makes the database.`
    return without([warning('database', words)], words)
  }
  try {
    const { urls, close } = await findDatabase(config)
    return { ...(await examineUrls(urls, config.mode === 'production', clocks)), close }
  } catch (error) {
    return without([fault('database', reasonOf(error))])
  }
}

function without(findings: Finding[], reason = NEEDED): ExaminedDatabase {
  const rest = [notChecked('migrations', reason), notChecked('logins', reason)]
  return { findings: [...findings, ...rest], usable: null, close: async () => {} }
}

async function examineUrls(
  urls: DatabaseUrls,
  production: boolean,
  clocks: OtherClock[]
): Promise<Omit<ExaminedDatabase, 'close'>> {
  const findings: Finding[] = []
  const reached: DatabaseFacts[] = []
  for (const login of loginsOf(urls)) {
    try {
      const facts = await inspectDatabase(login.url)
      reached.push(facts)
      findings.push(onVersion(facts, login))
    } catch (error) {
      findings.push(fault('database', reasonOf(unreachableDatabase(login.url, login.variable, error))))
    }
  }
  const [first] = reached
  if (!first || findings.some(({ state }) => state === 'FAULT')) return without(findings)
  clocks.push({ whose: 'the database', aheadMs: first.aheadMs })
  findings.push(onMigrations(first, urls.owner !== null))
  if (first.pending.length > 0) {
    return { findings: [...findings, notChecked('logins', 'They get their rights with the migrations.')], usable: null }
  }
  findings.push(...(await onLogins(urls, production)))
  return { findings, usable: findings.some(({ state }) => state === 'FAULT') ? null : urls }
}

/** Each once, by the variable that it comes from. */
function loginsOf({ owner, api, worker }: DatabaseUrls): Login[] {
  const found = [
    { variable: 'DATABASE_URL', url: owner },
    { variable: URL_VARIABLES.api, url: api },
    { variable: URL_VARIABLES.worker, url: worker }
  ].filter((login): login is Login => login.url !== null)
  return found.filter(({ url }, at) => found.findIndex((other) => other.url === url) === at)
}

function onVersion({ version, versionNumber, login }: DatabaseFacts, { url }: Login): Finding {
  const { host, pathname } = new URL(url)
  const words = `PostgreSQL ${version.split(' ')[0]} at ${host}${pathname} lets ${login} in`
  if (versionNumber >= OLDEST) return ok('database', `${words}.`)
  return fault('database', `${words}, and is too old: 13 is the oldest that Conclave works with.`)
}

function onMigrations({ pending }: DatabaseFacts, owner: boolean): Finding {
  if (pending.length === 0) return ok('migrations', 'The database has all of this version.')
  const words = `The database lacks ${pending.length} migrations of this version, up to ${pending.at(-1)}.`
  if (owner) return warning('migrations', `${words} The next start applies them, or npm run -s migrate now.`)
  return fault('migrations', `${words} Run npm run -s migrate, with the DATABASE_URL of its owner.`)
}

async function onLogins(urls: DatabaseUrls, production: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const part of ['api', 'worker'] as const) {
    const url = urls[part]
    if (!url) continue
    try {
      const excess = await checkLogin(databaseLogin(url, PART_ROLES[part]), PART_ROLES[part])
      const remarks = production ? excess : []
      findings.push(
        ...(remarks.length === 0
          ? [ok('logins', `The ${part} may act as ${PART_ROLES[part]}.`)]
          : remarks.map((what) => warning('logins', `${what}. docs/operations.md has three logins for production.`)))
      )
    } catch (error) {
      findings.push(fault('logins', reasonOf(error)))
    }
  }
  return findings
}
