import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { guarded } from '../guarded-master-key.js'
import {
  httpUrl,
  leavesTheMachineInTheClear,
  type MasterKeyProvider,
  notConfigured,
  readVariables
} from '../provider.js'
import { VaultHttp } from './vault-http.js'
import type { Secret, VaultAuthentication } from './vault-login.js'
import { VaultMasterKey } from './vault-master-key.js'
import { VaultSession } from './vault-session.js'

const environment = {
  VAULT_ADDR: httpUrl(),
  VAULT_NAMESPACE: z.string().optional(),
  VAULT_CACERT: z.string().optional(),
  VAULT_TOKEN: z.string().optional(),
  VAULT_TOKEN_FILE: z.string().optional(),
  VAULT_ROLE_ID: z.string().optional(),
  VAULT_SECRET_ID: z.string().optional(),
  VAULT_SECRET_ID_FILE: z.string().optional(),
  VAULT_APPROLE_MOUNT: z.string().default('approle'),
  VAULT_K8S_ROLE: z.string().optional(),
  VAULT_K8S_MOUNT: z.string().default('kubernetes'),
  VAULT_K8S_TOKEN_FILE: z.string().default('/var/run/secrets/kubernetes.io/serviceaccount/token')
}
type Environment = z.output<z.ZodObject<typeof environment>>

/** `vault:<mount>/<key>`: the Transit engine of Vault or OpenBao at VAULT_ADDR. */
export const vaultProvider: MasterKeyProvider = {
  scheme: 'vault',
  form: 'vault:<mount>/<key>',
  // Segments that are empty, `.` or `..` are left out by servers on the way: two names would be one key.
  name: /^(?!.*\/\/)(?!(.*\/)?\.{1,2}(\/|$))[^/\s,?#%\p{C}][^\s,?#%\p{C}]*\/[A-Za-z0-9_.-]+$/u,
  variables: Object.keys(environment),
  configure({ variables, names, production }, problems) {
    if (names.length === 0) return notConfigured
    const env = readVariables(environment, variables, problems)
    const authentication = env ? authenticationOf(env, problems) : null
    const ca = readAuthority(env?.VAULT_CACERT, problems)
    if (production && leavesTheMachineInTheClear(env?.VAULT_ADDR ?? ''))
      problems.push('VAULT_ADDR must be an https:// URL, except for this machine (NODE_ENV is production).')
    if (!env || !authentication) return notConfigured
    return async (name, { log, timeoutMs }) => {
      const address = { url: new URL(env.VAULT_ADDR), namespace: env.VAULT_NAMESPACE ?? null, ca, timeoutMs }
      const session = new VaultSession(new VaultHttp(address), authentication, log)
      const end = name.lastIndexOf('/')
      return guarded(new VaultMasterKey(name.slice(0, end), name.slice(end + 1), session), timeoutMs, log)
    }
  }
}

/** The one way to log in that is set; null, with a sentence, when there is none or more than one. */
function authenticationOf(env: Environment, problems: string[]): VaultAuthentication | null {
  const token = secretOf(env.VAULT_TOKEN, env.VAULT_TOKEN_FILE)
  const secretId = secretOf(env.VAULT_SECRET_ID, env.VAULT_SECRET_ID_FILE)
  const ways: VaultAuthentication[] = []
  if (token) ways.push({ method: 'token', token })
  if (env.VAULT_ROLE_ID && secretId)
    ways.push({ method: 'approle', mount: env.VAULT_APPROLE_MOUNT, roleId: env.VAULT_ROLE_ID, secretId })
  if (env.VAULT_K8S_ROLE) {
    const serviceAccountToken = { file: env.VAULT_K8S_TOKEN_FILE }
    ways.push({ method: 'kubernetes', mount: env.VAULT_K8S_MOUNT, role: env.VAULT_K8S_ROLE, serviceAccountToken })
  }
  if (ways.length !== 1)
    problems.push(
      `VAULT_TOKEN (or VAULT_TOKEN_FILE), or VAULT_ROLE_ID with VAULT_SECRET_ID (or VAULT_SECRET_ID_FILE), or VAULT_K8S_ROLE ${ways.length === 0 ? 'is missing: say how to log in' : 'are set together: set one of them'}.`
    )
  return ways.length === 1 ? (ways[0] ?? null) : null
}

function secretOf(value: string | undefined, file: string | undefined): Secret | null {
  if (value !== undefined) return { value }
  return file === undefined ? null : { file }
}

function readAuthority(path: string | undefined, problems: string[]): string | null {
  if (path === undefined) return null
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    problems.push(
      `VAULT_CACERT cannot be read (${(error as NodeJS.ErrnoException).code}): give the path of a PEM file.`
    )
    return null
  }
}
