import { userInfo } from 'node:os'
import { isName } from '../identity/user-id.js'
import type { Viewer } from '../identity/viewer.js'
import { UsageError } from './exit-codes.js'

const MAX_BYTES = 200

/**
 * Who gives a command, for the audit trail: `operator:<name>`. No user can have such an id. Whoever has the secrets of
 * the environment may do with keys what there is to do.
 *
 * @param name as given by `--as`; the name of the process's user without
 */
export function operator(name = loginName()): Viewer {
  if (!isName(name) || Buffer.byteLength(name) > MAX_BYTES) {
    throw new UsageError(`--as takes a name of 1 to ${MAX_BYTES} bytes without control characters.`)
  }
  const id = `operator:${name}`
  return { id, name: id, scopes: new Set(['keys:admin']), expiresAt: null }
}

function loginName(): string {
  try {
    return userInfo().username
  } catch {
    throw new UsageError(
      'Say who you are with --as <name>, for the audit trail: this user has no name on this machine.'
    )
  }
}
