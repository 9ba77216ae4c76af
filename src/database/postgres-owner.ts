import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StartError } from '../start-error.js'

/** The operating system user that PostgreSQL runs as: it refuses to run as root. */
export interface PostgresOwner {
  uid: number
  gid: number
}

/** Where root keeps what that user must be able to enter, when the project's own folder is closed to it. */
export const ROOT_STORE = '/var/lib/conclave'

/**
 * @param existing folder of a cluster, whose owner is kept where it exists
 * @returns null when this process is not root: PostgreSQL then runs as the same user
 */
export function postgresOwner(existing: string): PostgresOwner | null {
  if (process.getuid?.() !== 0) return null
  const folder = statSync(existing, { throwIfNoEntry: false })
  if (folder && folder.uid !== 0) return { uid: folder.uid, gid: folder.gid }
  return nobody()
}

function nobody(): PostgresOwner {
  const entry = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (!entry) {
    throw new StartError(
      'PostgreSQL refuses to run as root and there is no user "nobody" to run it as. Run as another user, or set DATABASE_URL.'
    )
  }
  return { uid: Number(entry[1]), gid: Number(entry[2]) }
}

/** Whether the user may pass through every folder on the way to `path` and into it. */
export function canEnter(path: string, owner: PostgresOwner): boolean {
  const stat = statSync(path)
  const bit = stat.uid === owner.uid ? 0o100 : stat.gid === owner.gid ? 0o010 : 0o001
  const parent = dirname(path)
  return (stat.mode & bit) !== 0 && (parent === path || canEnter(parent, owner))
}
