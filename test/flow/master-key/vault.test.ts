import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { VaultMasterKey } from '../../../src/master-key/vault/vault-master-key.js'
import { newContext, wrapOne } from '../../support/providers/contract.js'
import { hasOpenBao, OpenBao } from '../../support/providers/openbao.js'
import { byToken, openVaultKey, type VaultKeyOptions } from '../../support/providers/vault-key.js'
import { rejectionOf } from '../../unit/failures.js'

const privateKey = randomBytes(1200)
const toWrap = () => [{ privateKey, context: newContext() }]

describe.skipIf(!hasOpenBao)('a Transit key', () => {
  let bao: OpenBao
  let opened: VaultMasterKey[]
  beforeAll(async () => {
    bao = await OpenBao.start()
    await bao.makeTransitKey('transit', 'conclave')
    await bao.makePolicy('conclave', 'transit', 'conclave')
  })
  afterAll(async () => await bao?.stop())
  beforeEach(() => {
    opened = []
    return async () => {
      for (const key of opened) await key.close()
    }
  })
  const open = (options: Partial<VaultKeyOptions> = {}) => {
    const key = openVaultKey({ url: bao.url, authentication: byToken(bao.rootToken), ...options })
    opened.push(key)
    return key
  }

  it('that does not exist is REFUSED, and not made by the first wrap', async () => {
    const key = open({ key: 'mistyped' })
    expect(await rejectionOf(key.wrap(toWrap()))).toMatchObject({ kind: 'REFUSED' })
    expect(await rejectionOf(key.check())).toMatchObject({ kind: 'REFUSED' })
    await expect(bao.api('GET', 'transit/keys/mistyped')).rejects.toThrow('404')
    expect(await rejectionOf(open({ mount: 'nowhere' }).check())).toMatchObject({ kind: 'REFUSED' })
  })

  it.each(['rsa-2048', 'hmac', 'ed25519'])('of type %s is REFUSED, saying which type to make', async (type) => {
    await bao.makeTransitKey('transit', type, { type, ...(type === 'hmac' ? { key_size: 32 } : {}) })
    const failure = await rejectionOf(open({ key: type }).wrap(toWrap()))
    expect(failure).toMatchObject({ kind: 'REFUSED', message: expect.stringContaining('use aes256-gcm96') })
  })

  it.each(['chacha20-poly1305', 'aes128-gcm96'])('of type %s is good', async (type) => {
    await bao.makeTransitKey('transit', type, { type })
    const key = open({ key: type })
    expect(await key.unwrap([await wrapOne(key, privateKey)])).toEqual([privateKey])
  })

  it('whose policy lacks decryption is REFUSED by its check', async () => {
    const policy =
      'path "transit/keys/conclave" { capabilities = ["read"] } path "transit/encrypt/conclave" { capabilities = ["update"] }'
    await bao.api('POST', 'sys/policies/acl/half', { policy })
    const failure = await rejectionOf(open({ authentication: byToken(await bao.makeToken(['half'])) }).check())
    expect(failure).toMatchObject({
      kind: 'REFUSED',
      message: 'master key vault:transit/conclave: denied by a policy of Vault'
    })
  })

  it('wraps and unwraps more keys than go into one request', async () => {
    const key = open()
    const keys = Array.from({ length: 350 }, () => ({ privateKey: randomBytes(100), context: newContext() }))
    const wrapped = (await key.wrap(keys)).map(({ wrapped }, i) => ({
      wrapped,
      context: keys[i]?.context ?? newContext()
    }))
    expect(await key.unwrap(wrapped)).toEqual(keys.map(({ privateKey }) => privateKey))
  })

  it('that is rotated has a new version, and opens what lies under the old one', async () => {
    await bao.makeTransitKey('transit', 'turning')
    const key = open({ key: 'turning' })
    const before = await wrapOne(key, privateKey)
    expect(await key.version()).toBe('v1')
    await bao.api('POST', 'transit/keys/turning/rotate')
    expect(await key.version()).toBe('v2')
    expect(await key.wrap(toWrap())).toMatchObject([{ version: 'v2' }])
    expect(await key.unwrap([before])).toEqual([privateKey])
  })

  it('that no longer opens a version says REFUSED for that one key', async () => {
    await bao.makeTransitKey('transit', 'pruned')
    const key = open({ key: 'pruned' })
    const before = await wrapOne(key, privateKey)
    await bao.api('POST', 'transit/keys/pruned/rotate')
    await bao.api('POST', 'transit/keys/pruned/config', { min_decryption_version: 2 })
    const after = await wrapOne(key, privateKey)
    expect(await key.unwrap([before, after])).toMatchObject([{ kind: 'REFUSED' }, privateKey])
  })

  it('offers no rewrap by the service when it binds by associated data, which OpenBao does not pass on', async () => {
    const key = open()
    const wrapped = await wrapOne(key, privateKey)
    expect(await key.rewrapFrom(key)).toBeNull()
    // When this fails, OpenBao has learnt it, and the rewrap of Transit can be used for every key.
    const ciphertext = wrapped.wrapped.subarray(2).toString()
    await expect(bao.api('POST', 'transit/rewrap/conclave', { ciphertext })).rejects.toThrow('authentication failed')
  })

  it('that is derived is rewrapped to its latest version by the service, context and all', async () => {
    await bao.makeTransitKey('transit', 'derived', { derived: true })
    const key = open({ key: 'derived' })
    expect(await key.rewrapFrom(open())).toBeNull()
    const before = await wrapOne(key, privateKey)
    const other = await wrapOne(key, privateKey)
    await bao.api('POST', 'transit/keys/derived/rotate')
    const rewrap = await key.rewrapFrom(key)
    const [first, second] = (await rewrap?.([before, { ...other, context: newContext() }])) ?? []
    expect(first).toMatchObject({ version: 'v2' })
    expect(second).toMatchObject({ kind: 'WRONG_KEY' })
    const wrapped = first && 'wrapped' in first ? first.wrapped : Buffer.alloc(0)
    expect(await key.unwrap([{ wrapped, context: before.context }])).toEqual([privateKey])
    expect(await key.unwrap([{ wrapped, context: newContext() }])).toMatchObject([{ kind: 'WRONG_KEY' }])
  })

  it('in a namespace is found there, and only there', async () => {
    await bao.api('POST', 'sys/namespaces/team')
    await bao.makeTransitKey('transit', 'spaced', {}, 'team')
    const key = open({ key: 'spaced', namespace: 'team' })
    expect(await key.unwrap([await wrapOne(key, privateKey)])).toEqual([privateKey])
    expect(await rejectionOf(open({ key: 'spaced' }).check())).toMatchObject({ kind: 'REFUSED' })
  })

  describe('with a login by AppRole', () => {
    beforeAll(async () => {
      await bao.api('POST', 'sys/auth/teams/approle', { type: 'approle' })
    })

    it('is REFUSED with a secret id that Vault does not know', async () => {
      const { roleId } = await makeRole('strict', { token_ttl: '1h' })
      const key = open({ authentication: appRole(roleId, 'a guess') })
      expect(await rejectionOf(key.wrap(toWrap()))).toMatchObject({ kind: 'REFUSED' })
    })

    it('wraps and unwraps', async () => {
      const { roleId, secretId } = await makeRole('plain', { token_ttl: '1h' })
      const key = open({ authentication: appRole(roleId, secretId) })
      await key.check()
      expect(await key.unwrap([await wrapOne(key, privateKey)])).toEqual([privateKey])
    })

    it('logs in anew, once, when its token was revoked in the middle of the work', async () => {
      const { roleId, secretId } = await makeRole('revoked', { token_ttl: '1h' })
      const key = open({ authentication: appRole(roleId, secretId) })
      const wrapped = await wrapOne(key, privateKey)
      await bao.api('POST', 'sys/leases/revoke-prefix/auth/teams/approle/login')
      const results = await Promise.all(Array.from({ length: 5 }, () => key.unwrap([wrapped])))
      for (const result of results) expect(result).toEqual([privateKey])
    })

    it('renews its token before it ends, and logs in anew when it has its greatest age', async () => {
      const role = { token_ttl: '2s', token_max_ttl: '4s' }
      const { roleId, secretId } = await makeRole('short', role)
      const key = open({ authentication: appRole(roleId, secretId) })
      await key.check()
      // Tokens of the mount that are alive, by when they were made: the first, renewed, and then another.
      const ages = new Set<string>()
      await vi.waitFor(
        async () => {
          for (const accessor of await accessorsOf('short')) ages.add(accessor)
          expect(ages.size).toBeGreaterThanOrEqual(2)
        },
        { timeout: 15_000, interval: 200 }
      )
      expect(await key.unwrap([await wrapOne(key, privateKey)])).toEqual([privateKey])
    })

    async function makeRole(name: string, options: object): Promise<{ roleId: string; secretId: string }> {
      const path = `auth/teams/approle/role/${name}`
      await bao.api('POST', path, { token_policies: ['conclave'], ...options })
      const role = await bao.api<{ data: { role_id: string } }>('GET', `${path}/role-id`)
      const secret = await bao.api<{ data: { secret_id: string } }>('POST', `${path}/secret-id`)
      return { roleId: role.data.role_id, secretId: secret.data.secret_id }
    }

    const appRole = (roleId: string, secretId: string) => ({
      method: 'approle' as const,
      mount: 'teams/approle',
      roleId,
      secretId: { value: secretId }
    })

    async function accessorsOf(role: string): Promise<string[]> {
      const { data } = await bao.api<{ data: { keys: string[] } }>('LIST', 'auth/token/accessors')
      const found: string[] = []
      for (const accessor of data.keys) {
        const looked = await bao
          .api<{ data: { meta: Record<string, string> | null } }>('POST', 'auth/token/lookup-accessor', { accessor })
          .catch(() => null)
        if (looked?.data.meta?.role_name === role) found.push(accessor)
      }
      return found
    }
  })

  describe('with a token in a file', () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'conclave-token-'))
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    it('is REFUSED while the file is not there, and takes the next token when an agent has replaced it', async () => {
      const file = join(folder, 'token')
      const key = open({ authentication: { method: 'token', token: { file } } })
      expect(await rejectionOf(key.check())).toMatchObject({ kind: 'REFUSED' })
      const first = await bao.makeToken(['conclave'])
      writeFileSync(file, `${first}\n`)
      await key.check()
      writeFileSync(file, await bao.makeToken(['conclave']))
      await bao.api('POST', 'auth/token/revoke', { token: first })
      await key.check()
    })

    it('that can be renewed lives on past its time', async () => {
      const token = await bao.makeToken(['conclave'], { ttl: '2s' })
      const key = open({ authentication: byToken(token) })
      await key.check()
      const { data } = await bao.api<{ data: { expire_time: string } }>('POST', 'auth/token/lookup', { token })
      await vi.waitFor(
        async () => {
          const later = await bao.api<{ data: { expire_time: string } }>('POST', 'auth/token/lookup', { token })
          expect(Date.parse(later.data.expire_time)).toBeGreaterThan(Date.parse(data.expire_time) + 500)
        },
        { timeout: 10_000, interval: 100 }
      )
      await key.check()
    })
  })
})

describe.skipIf(!hasOpenBao)('a Transit key behind a private authority', () => {
  let bao: OpenBao
  beforeAll(async () => {
    bao = await OpenBao.start({ tls: true })
    await bao.makeTransitKey('transit', 'conclave')
  })
  afterAll(async () => await bao?.stop())

  it('is UNREACHABLE for whoever does not trust the authority, and works for whoever does', async () => {
    const authentication = byToken(bao.rootToken)
    const distrusting = openVaultKey({ url: bao.url, authentication })
    expect(await rejectionOf(distrusting.check())).toMatchObject({ kind: 'UNREACHABLE' })
    await distrusting.close()
    const trusting = openVaultKey({ url: bao.url, authentication, ca: readFileSync(bao.caFile, 'utf8') })
    await trusting.check()
    await trusting.close()
  })
})
