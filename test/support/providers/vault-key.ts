import { createLogger } from '../../../src/log.js'
import { VaultHttp } from '../../../src/master-key/vault/vault-http.js'
import type { VaultAuthentication } from '../../../src/master-key/vault/vault-login.js'
import { VaultMasterKey } from '../../../src/master-key/vault/vault-master-key.js'
import { VaultSession } from '../../../src/master-key/vault/vault-session.js'

export interface VaultKeyOptions {
  url: string
  authentication: VaultAuthentication
  mount?: string
  key?: string
  namespace?: string
  ca?: string
  timeoutMs?: number
}

/** A Transit key as the application would open it. */
export function openVaultKey(options: VaultKeyOptions): VaultMasterKey {
  const { url, authentication, mount = 'transit', key = 'conclave', namespace, ca, timeoutMs = 5000 } = options
  const http = new VaultHttp({ url: new URL(url), namespace: namespace ?? null, ca: ca ?? null, timeoutMs })
  return new VaultMasterKey(mount, key, new VaultSession(http, authentication, createLogger('silent')))
}

export const byToken = (value: string): VaultAuthentication => ({ method: 'token', token: { value } })
