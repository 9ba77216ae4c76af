import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLogger } from '../../../../src/log.js'
import { MasterKeyError } from '../../../../src/master-key/master-key-error.js'
import type { VaultAnswer, VaultHttp, VaultRequest } from '../../../../src/master-key/vault/vault-http.js'
import { logIn, lookUp, renew, type VaultAuthentication } from '../../../../src/master-key/vault/vault-login.js'
import { VaultSession } from '../../../../src/master-key/vault/vault-session.js'
import { rejectionOf } from '../../failures.js'

const URI = 'vault:transit/conclave'
const APPROLE: VaultAuthentication = {
  method: 'approle',
  mount: 'team/approle',
  roleId: 'role',
  secretId: { value: 's3cret' }
}
const REQUEST = { method: 'GET', path: 'transit/keys/conclave' } as const
const OK: VaultAnswer = { status: 200, body: { data: 1 } }
const HOUR_S = 3600

/** A Vault that gives out tokens and knows which of them have ended. */
class Vault {
  readonly asked: string[] = []
  readonly requests: VaultRequest[] = []
  readonly ended = new Set<string>()
  closed = false
  lease = HOUR_S
  renewedLease = HOUR_S
  renewable = true
  login: 'good' | 'refused' | 'unreachable' = 'good'
  renewal: 'good' | 'refused' | 'unreachable' = 'good'
  lookup: 'good' | 'unreachable' = 'good'
  denied = false
  #tokens = 0

  async send(uri: string, request: VaultRequest): Promise<VaultAnswer> {
    const { path, token } = request
    this.asked.push(`${token ?? '-'} ${path}`)
    this.requests.push(request)
    if (path.startsWith('auth/') && path.endsWith('/login')) return this.#logIn(uri)
    if (token && this.ended.has(token)) return { status: 403, body: null }
    if (path === 'auth/token/renew-self') return this.#renew(uri)
    if (path === 'auth/token/lookup-self') {
      if (this.lookup === 'unreachable') throw unreachable(uri)
      return { status: 200, body: { data: { ttl: this.lease, renewable: this.renewable } } }
    }
    return this.denied ? { status: 403, body: null } : OK
  }

  async close(): Promise<void> {
    this.closed = true
  }

  #logIn(uri: string): VaultAnswer {
    if (this.login === 'unreachable') throw unreachable(uri)
    if (this.login === 'refused') return { status: 400, body: null }
    return this.#auth(`t${++this.#tokens}`, this.lease)
  }

  #renew(uri: string): VaultAnswer {
    if (this.renewal === 'unreachable') throw unreachable(uri)
    if (this.renewal === 'refused') return { status: 400, body: null }
    return this.#auth('ignored', this.renewedLease)
  }

  #auth(client_token: string, lease_duration: number): VaultAnswer {
    return { status: 200, body: { auth: { client_token, lease_duration, renewable: this.renewable } } }
  }
}

function unreachable(uri: string): MasterKeyError {
  return new MasterKeyError('UNREACHABLE', uri, 'no answer')
}

let vault: Vault
let session: VaultSession
let logged: string
beforeEach(() => {
  vi.useFakeTimers()
  vault = new Vault()
  logged = ''
  open(APPROLE)
})
afterEach(async () => {
  await session.close()
  vi.useRealTimers()
})

function open(authentication: VaultAuthentication): void {
  const write = (line: Buffer, _: string, done: () => void) => {
    logged += line
    done()
  }
  session = new VaultSession(
    vault as unknown as VaultHttp,
    authentication,
    createLogger('info', new Writable({ write }))
  )
}

const send = () => session.send(URI, REQUEST)
const LOGIN = '- auth/team/approle/login'
const ASK = (token: string) => `${token} transit/keys/conclave`

describe('a session with Vault', () => {
  it('logs in once, also for requests at the same time', async () => {
    expect(await Promise.all([send(), send(), send()])).toEqual([OK, OK, OK])
    await send()
    expect(vault.asked).toEqual([LOGIN, ASK('t1'), ASK('t1'), ASK('t1'), ASK('t1')])
    expect(vault.requests[0]?.body).toEqual({ role_id: 'role', secret_id: 's3cret' })
  })

  it('tries again after a login that failed', async () => {
    vault.login = 'refused'
    expect(await rejectionOf(send())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: Vault refuses the login at auth/team/approle'
    })
    vault.login = 'unreachable'
    expect(await rejectionOf(send())).toMatchObject({ kind: 'UNREACHABLE' })
    vault.login = 'good'
    expect(await send()).toBe(OK)
  })

  it('is denied by a policy without another login while its token lives', async () => {
    vault.denied = true
    expect(await rejectionOf(send())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: denied by a policy of Vault'
    })
    expect(vault.asked).toEqual([LOGIN, ASK('t1'), 't1 auth/token/lookup-self'])
    vault.denied = false
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t1'))
  })

  it('logs in again, once for all, when its token has ended', async () => {
    await send()
    vault.ended.add('t1')
    vault.asked.length = 0
    expect(await Promise.all([send(), send()])).toEqual([OK, OK])
    expect(vault.asked.filter((path) => path === LOGIN)).toHaveLength(1)
    expect(vault.asked.filter((path) => path === ASK('t2'))).toHaveLength(2)
  })

  it('does not forget a newer token when an older one is found to have ended late', async () => {
    await send()
    const answering = Promise.withResolvers<void>()
    const answer = vault.send.bind(vault)
    let held = false
    vault.send = async (uri, request) => {
      const result = await answer(uri, request)
      // The first look-up of the ended token is slow: another request has logged in again meanwhile.
      if (request.path.endsWith('lookup-self') && !held) {
        held = true
        await answering.promise
      }
      return result
    }
    vault.ended.add('t1')
    const slow = send()
    await vi.advanceTimersByTimeAsync(0)
    expect(held).toBe(true)
    await send()
    answering.resolve()
    await slow
    expect(vault.asked.filter((path) => path === LOGIN)).toHaveLength(2)
    expect(vault.asked.at(-1)).toBe(ASK('t2'))
  })

  it('is REFUSED when a new login helps nothing', async () => {
    await send()
    vault.ended.add('t1').add('t2')
    expect(await rejectionOf(send())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: denied by Vault, also after a new login'
    })
  })

  it('keeps its token when it cannot be told whether that has ended', async () => {
    vault.denied = true
    vault.lookup = 'unreachable'
    expect(await rejectionOf(send())).toMatchObject({ kind: 'UNREACHABLE' })
    vault.denied = false
    await send()
    expect(vault.asked.filter((path) => path === LOGIN)).toHaveLength(1)
  })

  it('passes other answers on', async () => {
    vault.send = async () => ({
      status: 200,
      body: { auth: { client_token: 't', lease_duration: 0, renewable: false } }
    })
    await send()
    vault.send = async () => ({ status: 404, body: null })
    expect(await send()).toEqual({ status: 404, body: null })
  })

  it('closes its connection', async () => {
    await session.close()
    expect(vault.closed).toBe(true)
  })
})

describe('a token of Vault', () => {
  it('is renewed when a third of its time is left, again and again, and stays the same', async () => {
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3) - 1)
    expect(vault.asked).toEqual([LOGIN, ASK('t1')])
    await vi.advanceTimersByTimeAsync(1)
    expect(vault.asked.at(-1)).toBe('t1 auth/token/renew-self')
    expect(vault.requests.at(-1)?.body).toEqual({})
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    expect(vault.asked.filter((path) => path === 't1 auth/token/renew-self')).toHaveLength(2)
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t1'))
    expect(vault.asked.filter((path) => path === LOGIN)).toHaveLength(1)
  })

  it.each([
    ['refused', HOUR_S],
    ['granted for half of its time', HOUR_S / 2]
  ])('is replaced by a new login when its renewal is %s', async (how, granted) => {
    if (how === 'refused') vault.renewal = 'refused'
    vault.renewedLease = granted
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    expect(vault.asked.slice(-2)).toEqual(['t1 auth/token/renew-self', LOGIN])
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t2'))
    expect(logged).toBe('')
  })

  it('is kept when its renewal grants it for ever', async () => {
    vault.renewedLease = 0
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t1'))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is kept when its renewal grants a little more than half of its time', async () => {
    vault.renewedLease = HOUR_S / 2 + 1
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t1'))
  })

  it('that cannot be renewed is replaced by a new login without a try', async () => {
    vault.renewable = false
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    expect(vault.asked).toEqual([LOGIN, ASK('t1'), LOGIN])
  })

  it('is tried again to be renewed in an outage, while some of its time is left', async () => {
    vault.renewal = 'unreachable'
    await send()
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    expect(vault.asked.filter((path) => path.endsWith('renew-self'))).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (1 / 3) * (2 / 3) + 1)
    expect(vault.asked.filter((path) => path.endsWith('renew-self'))).toHaveLength(2)
    expect(JSON.parse(logged.split('\n')[0] ?? '')).toMatchObject({
      masterKey: URI,
      reason: 'master key vault:transit/conclave: no answer',
      msg: 'the Vault token could not be renewed'
    })
    expect(logged).not.toContain('t1')
    vault.renewal = 'good'
    await send()
    expect(vault.asked.at(-1)).toBe(ASK('t1'))
  })

  it('is not tried again where its login is refused for good', async () => {
    vault.renewal = 'refused'
    await send()
    vault.login = 'refused'
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    const { length } = vault.asked
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * 24)
    expect(vault.asked).toHaveLength(length)
    expect(logged).toContain('Vault refuses the login')
  })

  it('of a second or less is not renewed more often than once a second', async () => {
    vault.lease = 1
    vault.renewedLease = 1
    await send()
    await vi.advanceTimersByTimeAsync(999)
    expect(vault.asked).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(vault.asked).toHaveLength(3)
  })

  it('of a year is looked after once a day: no timer waits longer than three weeks', async () => {
    vault.lease = 365 * 24 * HOUR_S
    vault.renewedLease = vault.lease
    await send()
    await vi.advanceTimersByTimeAsync(24 * HOUR_S * 1000 - 1)
    expect(vault.asked).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(vault.asked.at(-1)).toBe('t1 auth/token/renew-self')
  })

  it('that does not end needs no renewal, and neither does one of a session that is closed', async () => {
    vault.lease = 0
    await send()
    expect(vi.getTimerCount()).toBe(0)
    vault.lease = HOUR_S
    open(APPROLE)
    await send()
    expect(vi.getTimerCount()).toBe(1)
    await session.close()
    expect(vi.getTimerCount()).toBe(0)
    open(APPROLE)
    const sending = send()
    await session.close()
    await sending
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has one timer, however often it is replaced', async () => {
    await send()
    vault.ended.add('t1')
    await send()
    expect(vi.getTimerCount()).toBe(1)
  })

  it('that is not renewed since the session was closed meanwhile is nothing to warn of', async () => {
    vault.renewal = 'unreachable'
    await send()
    const renewing = vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    await session.close()
    await renewing
    expect(logged).toBe('')
  })

  it('that is being renewed when the session is closed is nothing to warn of either', async () => {
    await send()
    const answering = Promise.withResolvers<VaultAnswer>()
    vault.send = async () => await answering.promise
    await vi.advanceTimersByTimeAsync(HOUR_S * 1000 * (2 / 3))
    await session.close()
    answering.reject(unreachable(URI))
    await vi.advanceTimersByTimeAsync(0)
    expect(logged).toBe('')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a login to Vault', () => {
  const http = () => vault as unknown as VaultHttp

  it('by token looks up how long that lasts', async () => {
    const authentication: VaultAuthentication = { method: 'token', token: { value: 'given' } }
    expect(await logIn(http(), URI, authentication)).toEqual({ token: 'given', ttlMs: HOUR_S * 1000, renewable: true })
    vault.lease = 0
    vault.renewable = false
    expect(await logIn(http(), URI, authentication)).toEqual({ token: 'given', ttlMs: null, renewable: false })
    vault.ended.add('given')
    expect(await rejectionOf(logIn(http(), URI, authentication))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: the Vault token is not accepted'
    })
  })

  it('by Kubernetes reads the service account’s token anew each time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'conclave-vault-'))
    try {
      const file = join(folder, 'token')
      const authentication: VaultAuthentication = {
        method: 'kubernetes',
        mount: 'kubernetes',
        role: 'conclave',
        serviceAccountToken: { file }
      }
      expect(await rejectionOf(logIn(http(), URI, authentication))).toMatchObject({
        kind: 'REFUSED',
        message: 'master key vault:transit/conclave: a file with credentials for Vault cannot be read (ENOENT)'
      })
      for (const jwt of ['one', 'two']) {
        writeFileSync(file, `${jwt}\n`)
        expect(await logIn(http(), URI, authentication)).toMatchObject({ ttlMs: HOUR_S * 1000, renewable: true })
        expect(vault.requests.at(-1)).toEqual({
          method: 'POST',
          path: 'auth/kubernetes/login',
          token: null,
          body: { role: 'conclave', jwt }
        })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    { status: 500, body: { auth: { client_token: 't', lease_duration: 1, renewable: true } } },
    { status: 200, body: { auth: { client_token: '', lease_duration: 1, renewable: true } } },
    { status: 200, body: { auth: { client_token: 't', lease_duration: -1, renewable: true } } },
    { status: 200, body: { auth: { client_token: 't', lease_duration: 1.5, renewable: true } } },
    { status: 200, body: null }
  ])('that is answered %j is REFUSED', async (answer) => {
    vault.send = async () => answer
    expect(await rejectionOf(logIn(http(), URI, APPROLE))).toMatchObject({ kind: 'REFUSED' })
    expect(await rejectionOf(renew(http(), URI, 't'))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: the Vault token cannot be renewed'
    })
  })

  it.each([
    { status: 204, body: { data: { ttl: 1, renewable: true } } },
    { status: 200, body: { data: { ttl: -1 } } },
    { status: 200, body: {} }
  ])('whose token is looked up with the answer %j is REFUSED', async (answer) => {
    vault.send = async () => answer
    expect(await rejectionOf(lookUp(http(), URI, 't'))).toMatchObject({ kind: 'REFUSED' })
  })

  it('takes a token of which Vault does not say whether it can be renewed for one that cannot', async () => {
    vault.send = async () => ({ status: 200, body: { data: { ttl: 7 } } })
    expect(await lookUp(http(), URI, 't')).toEqual({ token: 't', ttlMs: 7000, renewable: false })
    expect(vault.requests).toEqual([])
  })
})
