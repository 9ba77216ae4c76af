import type { Logger } from '../../log.js'
import { isUnreachable, MasterKeyError } from '../master-key-error.js'
import type { VaultAnswer, VaultHttp, VaultRequest } from './vault-http.js'
import { logIn, lookUp, renew, type VaultAuthentication, type VaultLease } from './vault-login.js'

/** Renewed with a third of its time left; a lease shorter than a second is not worth a timer. */
const RENEW_AT = 2 / 3
const SOONEST_MS = 1000
/** Longest delay of a timer. */
const LATEST_MS = 24 * 60 * 60 * 1000

/**
 * Requests to Vault under a token that is kept alive: renewed before it ends, replaced by a new login where it
 * cannot be renewed any more, and once more where a request finds that it has ended.
 */
export class VaultSession {
  readonly #http: VaultHttp
  readonly #authentication: VaultAuthentication
  readonly #log: Logger
  #lease: Promise<VaultLease> | null = null
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(http: VaultHttp, authentication: VaultAuthentication, log: Logger) {
    this.#http = http
    this.#authentication = authentication
    this.#log = log
  }

  /** @throws MasterKeyError UNREACHABLE; or REFUSED, by a policy or since there is no login any more */
  async send(uri: string, request: Omit<VaultRequest, 'token'>): Promise<VaultAnswer> {
    const { token } = await this.#current(uri)
    const answer = await this.#http.send(uri, { ...request, token })
    if (answer.status !== 403) return answer
    if (!(await this.#hasEnded(uri, token))) throw new MasterKeyError('REFUSED', uri, 'denied by a policy of Vault')
    const renewed = await this.#current(uri)
    const second = await this.#http.send(uri, { ...request, token: renewed.token })
    if (second.status === 403) throw new MasterKeyError('REFUSED', uri, 'denied by Vault, also after a new login')
    return second
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#http.close()
  }

  /** A refusal is the policy's or the token's own end; only Vault knows. Forgets a token that has ended. */
  async #hasEnded(uri: string, token: string): Promise<boolean> {
    const ended = await lookUp(this.#http, uri, token).then(
      () => false,
      (error: unknown) => {
        if (isUnreachable(error)) throw error
        return true
      }
    )
    // Of several requests that find the same token ended, the first one forgets it.
    if (ended && this.#lease && (await this.#lease.catch(() => null))?.token === token) this.#lease = null
    return ended
  }

  #current(uri: string): Promise<VaultLease> {
    this.#lease ??= this.#keep(uri, logIn(this.#http, uri, this.#authentication))
    return this.#lease
  }

  /** A failed login is not kept: the next request tries again. */
  #keep(uri: string, leasing: Promise<VaultLease>): Promise<VaultLease> {
    leasing.then(
      (lease) => this.#planRenewal(uri, lease),
      () => {
        if (this.#lease === leasing) this.#lease = null
      }
    )
    return leasing
  }

  #planRenewal(uri: string, { token, ttlMs, renewable }: VaultLease): void {
    if (this.#timer) clearTimeout(this.#timer)
    if (ttlMs === null || this.#closed) return
    const delayMs = Math.min(Math.max(ttlMs * RENEW_AT, SOONEST_MS), LATEST_MS)
    this.#timer = setTimeout(() => void this.#extend(uri, token, ttlMs, renewable), delayMs).unref()
  }

  async #extend(uri: string, token: string, ttlMs: number, renewable: boolean): Promise<void> {
    try {
      const renewed = renewable ? await this.#renewed(uri, token, ttlMs) : null
      // Until there is another token, requests go on with this one.
      const lease = renewed ?? (await logIn(this.#http, uri, this.#authentication))
      this.#lease = this.#keep(uri, Promise.resolve(lease))
    } catch (error) {
      if (!this.#closed) this.#log.warn({ masterKey: uri, reason: error }, 'the Vault token could not be renewed')
      // What is left of it is used, and the renewal tried again while there is some.
      const leftMs = ttlMs * (1 - RENEW_AT)
      if (isUnreachable(error)) this.#planRenewal(uri, { token, ttlMs: leftMs, renewable })
    }
  }

  /** @returns null when Vault grants little more time or none, as it does at the token's greatest age */
  async #renewed(uri: string, token: string, ttlMs: number): Promise<VaultLease | null> {
    try {
      const lease = await renew(this.#http, uri, token)
      return lease.ttlMs === null || lease.ttlMs > ttlMs / 2 ? { ...lease, token } : null
    } catch (error) {
      if (isUnreachable(error)) throw error
      return null
    }
  }
}
