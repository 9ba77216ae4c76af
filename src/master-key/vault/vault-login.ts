import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { MasterKeyError } from '../master-key-error.js'
import type { VaultHttp } from './vault-http.js'
import { vaultPath } from './vault-path.js'

/** How this process proves to Vault who it is. */
export type VaultAuthentication =
  | { method: 'token'; token: Secret }
  | { method: 'approle'; mount: string; roleId: string; secretId: Secret }
  | { method: 'kubernetes'; mount: string; role: string; serviceAccountToken: Secret }

/** A secret, or a file that is read anew at every login: agents and kubelets replace what is in it. */
export type Secret = { value: string } | { file: string }

export interface VaultLease {
  token: string
  /** Null: it does not end. */
  ttlMs: number | null
  renewable: boolean
}

const seconds = z.int().nonnegative()
const loginAnswer = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: seconds, renewable: z.boolean() })
})
const lookupAnswer = z.object({ data: z.object({ ttl: seconds, renewable: z.boolean().default(false) }) })

/** @throws MasterKeyError REFUSED when Vault does not take the credentials, or they cannot be read */
export async function logIn(http: VaultHttp, uri: string, authentication: VaultAuthentication): Promise<VaultLease> {
  switch (authentication.method) {
    case 'token':
      return await lookUp(http, uri, await read(uri, authentication.token))
    case 'approle': {
      const credentials = { role_id: authentication.roleId, secret_id: await read(uri, authentication.secretId) }
      return await logInAt(http, uri, authentication.mount, credentials)
    }
    case 'kubernetes': {
      const credentials = { role: authentication.role, jwt: await read(uri, authentication.serviceAccountToken) }
      return await logInAt(http, uri, authentication.mount, credentials)
    }
  }
}

/** @throws MasterKeyError REFUSED when the token has run out or was revoked */
export async function lookUp(http: VaultHttp, uri: string, token: string): Promise<VaultLease> {
  const { status, body } = await http.send(uri, { method: 'GET', path: 'auth/token/lookup-self', token })
  const answer = lookupAnswer.safeParse(body)
  if (status !== 200 || !answer.success) throw new MasterKeyError('REFUSED', uri, 'the Vault token is not accepted')
  const { ttl, renewable } = answer.data.data
  return { token, ttlMs: ttl === 0 ? null : ttl * 1000, renewable }
}

/** @throws MasterKeyError REFUSED when the token cannot be renewed */
export async function renew(http: VaultHttp, uri: string, token: string): Promise<VaultLease> {
  const answer = await http.send(uri, { method: 'POST', path: 'auth/token/renew-self', token, body: {} })
  return leaseOf(uri, answer, 'the Vault token cannot be renewed')
}

async function logInAt(http: VaultHttp, uri: string, mount: string, credentials: object): Promise<VaultLease> {
  const path = `auth/${vaultPath(mount)}/login`
  const answer = await http.send(uri, { method: 'POST', path, token: null, body: credentials })
  return leaseOf(uri, answer, `Vault refuses the login at auth/${mount}`)
}

function leaseOf(uri: string, { status, body }: { status: number; body: unknown }, refusal: string): VaultLease {
  const answer = loginAnswer.safeParse(body)
  if (status !== 200 || !answer.success) throw new MasterKeyError('REFUSED', uri, refusal)
  const { client_token, lease_duration, renewable } = answer.data.auth
  return { token: client_token, ttlMs: lease_duration === 0 ? null : lease_duration * 1000, renewable }
}

async function read(uri: string, secret: Secret): Promise<string> {
  if ('value' in secret) return secret.value
  try {
    return (await readFile(secret.file, 'utf8')).trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new MasterKeyError('REFUSED', uri, `a file with credentials for Vault cannot be read (${code})`)
  }
}
