import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationDocument,
  KeysDocument,
  RotateKeyDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { giveVersions } from '../support/give-versions.js'
import type { GraphQLClient } from '../support/graphql-client.js'

let conclave: TestConclave
let alice: GraphQLClient
let bob: GraphQLClient

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice')
  bob = await conclave.as('bob')
})
afterAll(() => conclave.close())

describe('the keys of a conversation', () => {
  it('begin with one active version, whose private half is stored wrapped', async () => {
    const id = await createConversation(alice, [])
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.keys).toHaveLength(1)
    expect(conversation?.activeKey).toMatchObject({
      version: 1,
      state: 'ACTIVE',
      algorithm: 'RSA-OAEP-256',
      modulusBits: 2048,
      rotationReason: 'CREATED',
      messageCount: 0,
      rotatesAt: new Date(conclave.clock.now().getTime() + 30 * 24 * 60 * 60 * 1000).toISOString()
    })
    expect(conversation?.activeKey.publicKeyPem).toMatch(/^-----BEGIN PUBLIC KEY-----/)
    const [row] = await conclave.database.query<{ wrapped: Buffer }>(
      'select wrapped_private_key as wrapped from conversation_keys where conversation_id = $1',
      [id]
    )
    // Format 1, suite 3: HKDF-SHA256 and AES-256-GCM.
    expect(row?.wrapped.subarray(0, 2)).toEqual(Buffer.from([1, 3]))
  })

  it('show which master key wraps them to the scope keys:read only', async () => {
    const id = await createConversation(alice, ['auditor'])
    const masterKey = async (viewer: GraphQLClient) =>
      (await viewer.run(KeysDocument, { id })).conversation?.activeKey.masterKey
    expect(await masterKey(alice)).toBeNull()
    expect(await masterKey(await conclave.as('auditor', { scopes: ['keys:read'] }))).toBe('local:test')
  })
})

describe('rotating a key', () => {
  it('is refused to members and moderators who are no administrators of keys', async () => {
    const id = await createConversation(alice, ['bob'])
    for (const role of ['MEMBER', 'MODERATOR'] as const) {
      await alice.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role })
      const { errors } = await bob.execute(RotateKeyDocument, { conversationId: id })
      expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
    }
  })

  it('is open to an administrator of keys who is not a member, and shows him nothing of the conversation', async () => {
    const id = await createConversation(alice, [])
    const admin = await conclave.as('admin', { scopes: ['keys:admin'] })
    const { rotateKey } = await admin.run(RotateKeyDocument, { conversationId: id })
    expect(rotateKey).toMatchObject({
      conversationId: id,
      key: { version: 2, state: 'ACTIVE', rotationReason: 'REQUESTED' }
    })
    expect(await admin.run(ConversationDocument, { id })).toEqual({ conversation: null })
  })

  it('keeps what was sent before readable, and puts what is sent after under the new version', async () => {
    const id = await createConversation(alice, ['bob'], { title: 'Before' })
    await send(alice, id, 'under version 1')
    await alice.run(RotateKeyDocument, { conversationId: id })
    await send(alice, id, 'under version 2')
    conclave.services.keyring.forgetAll()
    expect((await readBack(bob, id)).map(({ body, keyVersion }) => [body, keyVersion])).toEqual([
      ['under version 1', 1],
      ['under version 2', 2]
    ])
    expect((await bob.run(ConversationDocument, { id })).conversation?.title).toBe('Before')
    const { conversation } = await alice.run(KeysDocument, { id })
    expect(conversation?.keys.map(({ version, state, messageCount }) => [version, state, messageCount])).toEqual([
      [1, 'DEACTIVATED', 1],
      [2, 'ACTIVE', 1]
    ])
  })

  it('ten times at once gives all of them the same new versions, skips none and leaves one active', async () => {
    const id = await createConversation(alice, [])
    const rotate = () => alice.run(RotateKeyDocument, { conversationId: id })
    const rotated = await Promise.all(Array.from({ length: 10 }, rotate))
    const versions = rotated.map(({ rotateKey }) => rotateKey.key.version)
    const { conversation } = await alice.run(KeysDocument, { id })
    const keys = conversation?.keys ?? []
    expect(keys.map(({ version }) => version)).toEqual(keys.map((_, index) => index + 1))
    expect(keys.filter(({ state }) => state === 'ACTIVE').map(({ version }) => version)).toEqual([keys.length])
    expect([Math.min(...versions), Math.max(...versions)]).toEqual([2, keys.length])
    // Those that asked together share a version; only one that asked later made another.
    expect(keys.length).toBeLessThan(11)
  })
})

describe('the database', () => {
  it('refuses a second active version, whoever writes it', async () => {
    const id = await createConversation(alice, [])
    const second = conclave.database.query(
      `insert into conversation_keys (conversation_id, version, key_id, state, modulus_bits, public_key, wrapped_private_key,
                                      master_key, rotation_reason, created_at, activated_at)
       select conversation_id, 2, gen_random_uuid(), state, modulus_bits, public_key, wrapped_private_key, master_key,
              rotation_reason, created_at, activated_at from conversation_keys where conversation_id = $1`,
      [id]
    )
    await expect(second).rejects.toMatchObject({ code: '23505', constraint: 'conversation_keys_one_active' })
  })
})

describe('a list of key versions', () => {
  let id: string
  let auditor: GraphQLClient

  beforeAll(async () => {
    id = await createConversation(alice, ['bob'])
    await giveVersions(conclave.database, id, 201)
    auditor = await conclave.as('auditor', { scopes: ['keys:read'] })
  })

  /** What a member is answered, and what an auditor is. */
  async function answers(list: string): Promise<{ data?: unknown; errors?: unknown }[]> {
    const args = list === '' ? '' : `(${list})`
    return await Promise.all([
      alice.post({ query: `{ conversation(id: "${id}") { keys${args} { version } } }` }),
      auditor.post({ query: `{ conversationKeys(conversationId: "${id}" ${list}) { version } }` })
    ])
  }

  it.each([
    ['', 'more than a page without a size', { code: 'QUERY_TOO_COMPLEX', limit: 'keys', max: 200, found: 201 }],
    ['first: 1, last: 1', 'two sizes', { code: 'BAD_USER_INPUT', field: 'first' }],
    ['first: 0', 'a page of nothing', { code: 'BAD_USER_INPUT', field: 'first' }],
    ['last: 201', 'more than a page', { code: 'QUERY_TOO_COMPLEX', limit: 'pageSize', max: 200, field: 'last' }]
  ])('(%s) is refused to members and to auditors: %s', async (list, _, extensions) => {
    for (const answer of await answers(list)) expect(answer).toMatchObject({ errors: [{ extensions }] })
  })

  it.each<[string, number[]]>([
    ['first: 2', [1, 2]],
    ['first: 2, afterVersion: 2', [3, 4]],
    ['first: 200, afterVersion: 200', [201]],
    ['first: 1, afterVersion: 201', []],
    ['last: 2', [200, 201]],
    ['last: 2, beforeVersion: 200', [198, 199]],
    ['last: 9, afterVersion: 3, beforeVersion: 6', [4, 5]],
    ['afterVersion: 3, beforeVersion: 6', [4, 5]],
    ['first: null, afterVersion: 200', [201]]
  ])('(%s) is answered in ascending order', async (list, versions) => {
    const keys = versions.map((version) => ({ version }))
    expect(await answers(list)).toMatchObject([
      { data: { conversation: { keys } } },
      { data: { conversationKeys: keys } }
    ])
  })

  it('comes whole without a size, up to a page', async () => {
    const keys = Array.from({ length: 200 }, (_, index) => ({ version: index + 2 }))
    expect(await answers('afterVersion: 1')).toMatchObject([
      { data: { conversation: { keys } } },
      { data: { conversationKeys: keys } }
    ])
  })

  it('is another one for each place in a query that asks for it', async () => {
    const query = `{ conversation(id: "${id}") {
      oldest: keys(first: 1) { version } newest: keys(last: 1) { version } more: keys(first: 1, afterVersion: 1) { version }
    } }`
    expect(await alice.post({ query })).toMatchObject({
      data: { conversation: { oldest: [{ version: 1 }], newest: [{ version: 201 }], more: [{ version: 2 }] } }
    })
  })
})
