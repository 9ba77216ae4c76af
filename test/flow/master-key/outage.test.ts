import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CreateConversationDocument,
  KeyHealthDocument,
  type MessageFieldsFragment,
  RotateKeyDocument
} from '../../../documents/generated.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import type { GraphQLClient } from '../../support/graphql-client.js'
import { hasOpenBao, OpenBao } from '../../support/providers/openbao.js'
import { TcpProxy } from '../../support/tcp-proxy.js'

const TIMEOUT_MS = 400
/** Without a breaker these would wait some fifty seconds for time limits; the rest is the machine's. */
const QUICKLY_MS = 15_000

describe.skipIf(!hasOpenBao)('while the key service is out of reach', () => {
  let bao: OpenBao
  let proxy: TcpProxy
  let conclave: TestConclave
  let alice: GraphQLClient
  beforeAll(async () => {
    bao = await OpenBao.start()
    proxy = await TcpProxy.start(bao.port)
    await bao.makeTransitKey('transit', 'conclave')
    conclave = await bootConclave({}, environment())
    alice = await conclave.as('alice')
  })
  afterAll(async () => {
    await conclave?.close()
    await proxy?.stop()
    await bao?.stop()
  })
  afterEach(async () => {
    proxy.restore()
    await untilReadiness('ok')
  })

  it.each(['cut', 'silence'] as const)('(%s) sends and reads of what is cached go on', async (fault) => {
    const id = await createConversation(alice, [])
    await send(alice, id, 'before')
    proxy[fault]()
    await send(alice, id, 'during')
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual(['before', 'during'])
  })

  it('a process that has opened nothing still sends, under a data key of its own', async () => {
    const id = await createConversation(alice, [])
    await send(alice, id, 'before')
    conclave.services.keyring.forgetAll()
    proxy.cut()
    await send(alice, id, 'during')
    expect((await readBack(alice, id)).map(({ status }) => status)).toEqual(['UNREADABLE', 'READABLE'])
  })

  it('new conversations take keys from the pool, and without one are KEY_UNAVAILABLE', async () => {
    await conclave.workerServices.keySupply.refill(1)
    proxy.cut()
    const id = await createConversation(alice, [])
    await send(alice, id, 'under a pooled key')
    const { errors } = await alice.execute(CreateConversationDocument, { input: { memberIds: [] } })
    expect(errors).toMatchObject([{ extensions: { code: 'KEY_UNAVAILABLE' } }])
    const rotation = await alice.execute(RotateKeyDocument, { conversationId: id })
    expect(rotation.errors).toMatchObject([{ extensions: { code: 'KEY_UNAVAILABLE' } }])
    expect(JSON.stringify([errors, rotation.errors])).not.toMatch(/vault|transit|127\.0\.0\.1/)
  })

  it.each([
    ['by time', { rotateAfter: 'PT0.001S' }],
    ['by count', { rotateAfterMessages: 1 }]
  ])('a key that is due %s serves on where no other can be had, and is rotated afterwards', async (_, keyPolicy) => {
    const id = await createConversation(alice, [], { keyPolicy })
    await send(alice, id, 'before')
    await conclave.database.query('delete from pooled_keys')
    conclave.clock.advance(1000)
    proxy.cut()
    for (const body of ['during', 'still']) await send(alice, id, body)
    proxy.restore()
    await untilReadiness('ok')
    conclave.clock.advance(60_000)
    await send(alice, id, 'after')
    const messages = await readBack(alice, id)
    expect(messages.map(({ body, keyVersion }) => [body, keyVersion])).toEqual([
      ['before', 1],
      ['during', 1],
      ['still', 1],
      ['after', 2]
    ])
    const postponed = await conclave.database.query<{ detail: string }>(
      `select detail from key_events where conversation_id = $1 and action = 'key.rotation-postponed'`,
      [id]
    )
    expect(postponed).toHaveLength(1)
  })

  it('what is not cached is UNREADABLE quickly, however many read at once, and readable again afterwards', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map(() => createConversation(alice, [])))
    for (const id of ids) await send(alice, id, 'kept')
    proxy.silence()
    const since = performance.now()
    for (let round = 0; round < 3; round++) {
      conclave.services.keyring.forgetAll()
      const pages = await Promise.all(Array.from({ length: 40 }, (_, i) => readBack(alice, ids[i % 4] ?? '')))
      for (const page of pages) expect(page).toMatchObject([{ status: 'UNREADABLE', body: null }])
    }
    expect(performance.now() - since).toBeLessThan(QUICKLY_MS)
    proxy.restore()
    await vi.waitFor(async () => expect(await readBack(alice, ids[0] ?? '')).toMatchObject([{ body: 'kept' }]), 15_000)
  })

  it('/readyz says degraded and why, but no URI, within a second, and ok when it is back', async () => {
    expect(await readiness()).toMatchObject({ code: 200, status: 'ok', masterKeys: ['ok'] })
    proxy.silence()
    await untilReadiness('degraded')
    const since = performance.now()
    expect(await readiness()).toEqual({
      code: 200,
      status: 'degraded',
      database: 'ok',
      masterKeys: ['unreachable']
    })
    expect(performance.now() - since).toBeLessThan(1000)
    const auditor = await conclave.as('auditor', { scopes: ['keys:read'] })
    const { keyHealth } = await auditor.run(KeyHealthDocument)
    expect(keyHealth.masterKeys).toMatchObject([{ uri: 'vault:transit/conclave', current: true, reachable: false }])
    proxy.restore()
    await untilReadiness('ok')
    expect((await auditor.run(KeyHealthDocument)).keyHealth.masterKeys).toMatchObject([{ reachable: true }])
  })

  it('a process starts all the same, and says in its log what is wrong', async () => {
    proxy.cut()
    const other = await bootConclave({ databaseUrl: conclave.database.url }, environment())
    expect(other.logged()).toContain('master key cannot be used')
    expect(other.logged()).toContain('"kind":"UNREACHABLE"')
    await other.close()
  })

  it('and one whose credentials are refused starts too, and says that', async () => {
    const variables = { ...environment(), VAULT_TOKEN: 's.hunter2' }
    const other = await bootConclave({ databaseUrl: conclave.database.url }, variables)
    expect(other.logged()).toContain('"kind":"REFUSED"')
    expect(other.logged()).not.toContain('hunter2')
    const response = await fetch(`${other.url}/readyz`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ masterKeys: ['refused'] })
    await other.close()
  })

  it('every kind of failure to unwrap looks the same to whoever reads', async () => {
    const seen = new Set<string>()
    const kinds: Record<string, (id: string) => Promise<unknown>> = {
      UNREACHABLE: async () => proxy.cut(),
      WRONG_KEY: async (id) =>
        // Another letter of base64: one that is none would be DAMAGED.
        await spoil(
          id,
          'set_byte(wrapped_private_key, 40, case get_byte(wrapped_private_key, 40) when 66 then 67 else 66 end)'
        ),
      DAMAGED: async (id) => await spoil(id, 'substring(wrapped_private_key for 20)')
    }
    for (const [kind, fail] of Object.entries(kinds)) {
      const id = await createConversation(alice, [])
      const { id: messageId } = await send(alice, id, 'secret')
      conclave.services.keyring.forgetAll()
      await fail(id)
      seen.add(withoutIds(await readBack(alice, id), messageId))
      expect(conclave.logged()).toContain(`"kind":"${kind}"`)
      proxy.restore()
      await untilReadiness('ok')
    }
    const id = await createConversation(alice, [])
    const { id: messageId } = await send(alice, id, 'secret')
    const refused = await bootConclave(
      { databaseUrl: conclave.database.url },
      { ...environment(), VAULT_TOKEN: await revokedToken() }
    )
    seen.add(withoutIds(await readBack(await refused.as('alice'), id), messageId))
    expect(refused.logged()).toContain('"kind":"REFUSED"')
    await refused.close()
    expect([...seen]).toHaveLength(1)
  })

  function environment(): NodeJS.ProcessEnv {
    return {
      MASTER_KEY: 'vault:transit/conclave',
      MASTER_SECRETS: '',
      MASTER_KEY_TIMEOUT: `PT${TIMEOUT_MS / 1000}S`,
      VAULT_ADDR: `http://127.0.0.1:${proxy.port}`,
      VAULT_TOKEN: bao.rootToken,
      KEY_POOL_TARGET: '0'
    }
  }

  async function revokedToken(): Promise<string> {
    await bao.makePolicy('conclave', 'transit', 'conclave')
    const token = await bao.makeToken(['conclave'])
    await bao.api('POST', 'auth/token/revoke', { token })
    return token
  }

  function withoutIds(page: MessageFieldsFragment[], messageId: string): string {
    return JSON.stringify(page)
      .replaceAll(messageId, 'id')
      .replaceAll(/"createdAt":"[^"]*"/g, '')
  }

  async function spoil(conversationId: string, expression: string): Promise<void> {
    const text = `update conversation_keys set wrapped_private_key = ${expression} where conversation_id = $1`
    await conclave.database.query(text, [conversationId])
  }

  async function readiness(): Promise<{ code: number; status: string }> {
    const response = await fetch(`${conclave.url}/readyz`)
    return { code: response.status, ...((await response.json()) as { status: string }) }
  }

  /** In an outage one call in two seconds tries, and what was found is kept for five. */
  async function untilReadiness(status: string): Promise<void> {
    await vi.waitFor(async () => expect(await readiness()).toMatchObject({ status }), {
      timeout: 20_000,
      interval: 200
    })
  }
})
