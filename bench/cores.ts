import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { CannotRun } from './case.js'
import type { BenchDatabase, Stage } from './stage.js'

const run = promisify(execFile)

/**
 * Gives an API process one core and PostgreSQL another: otherwise a comparison with the database alone would compare
 * it on two cores with itself on what the process leaves of them.
 *
 * @param stage has PostgreSQL let go of in any event
 * @param database on the server in question
 * @returns what lets PostgreSQL have all cores again
 * @throws CannotRun where it cannot be done: not Linux, one core only, a server elsewhere, or one of another user
 */
export async function giveOneCoreEach(
  stage: Stage,
  apiPid: number,
  database: BenchDatabase
): Promise<() => Promise<void>> {
  const [apiCore, postgresCore] = ownCores()
  if (apiCore === undefined || postgresCore === undefined) {
    throw new CannotRun('it needs Linux, and two cores: one for the API process and one for PostgreSQL.')
  }
  const postmaster = await postmasterOf(database)
  await keepOn([apiCore], apiPid)
  const release = stage.afterwards(async () => {
    await keepOn(ownCores(), postmaster)
    for (const pid of await serverPids(database)) await keepOn(ownCores(), pid)
  })
  // Its other processes after it: those that begin meanwhile begin where it is.
  await keepOn([postgresCore], postmaster)
  for (const pid of await serverPids(database)) await keepOn([postgresCore], pid)
  return release
}

/** The cores that this process may run on; none where there is no telling. */
function ownCores(): number[] {
  return coresIn(/^Cpus_allowed_list:\s*(.*)$/m.exec(statusOf('self'))?.[1] ?? '')
}

/** @param list such as `0-2,5` */
export function coresIn(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map((end) => (end.trim() === '' ? Number.NaN : Number(end)))
    if (first === undefined || last === undefined || !Number.isInteger(last - first)) return []
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

async function postmasterOf(database: BenchDatabase): Promise<number> {
  const [row] = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
  const status = statusOf(row?.pid ?? 0)
  const postmaster = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1])
  if (!/^Name:\s*postgres$/m.test(status) || !postmaster) {
    throw new CannotRun('the cores of PostgreSQL can be chosen on this machine only.')
  }
  return postmaster
}

async function serverPids(database: BenchDatabase): Promise<number[]> {
  return (await database.query<{ pid: number }>('select pid from pg_stat_activity')).map(({ pid }) => pid)
}

function statusOf(pid: number | 'self'): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

/** A process with all its threads. One that has ended meanwhile needs no core. */
async function keepOn(cores: number[], pid: number): Promise<void> {
  try {
    await run('taskset', ['--all-tasks', '--cpu-list', '--pid', cores.join(','), String(pid)])
  } catch (error) {
    if (statusOf(pid) === '') return
    throw new CannotRun(`cores cannot be chosen with taskset, of util-linux: ${(error as Error).message}`)
  }
}
