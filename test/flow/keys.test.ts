import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationDocument,
  KeysDocument,
  MessagesDocument,
  RenameConversationDocument,
  RotateKeyDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
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

  it('while members send and read fails nobody, and no message lies under a version deactivated before it', async () => {
    const id = await createConversation(alice, ['bob'])
    await conclave.workerServices.keySupply.refill(50)
    let rotating = true
    const rotations = (async () => {
      for (let count = 0; count < 50; count++) await alice.run(RotateKeyDocument, { conversationId: id })
    })().finally(() => {
      rotating = false
    })
    const senders = Array.from({ length: 8 }, async (_, index) => {
      while (rotating) await send(index % 2 ? alice : bob, id, `by sender ${index}`)
    })
    const readers = Array.from({ length: 4 }, async () => {
      while (rotating) for (const { status } of await lastPage(id)) expect(status).toBe('READABLE')
    })
    await Promise.all([...senders, rotations, ...readers])
    const messages = await readBack(bob, id)
    expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index + 1))
    expect(new Set(messages.map(({ keyVersion }) => keyVersion)).size).toBeGreaterThan(10)
    // Versions follow each other in the order of storing: none is used again once a later one was.
    const versions = messages.map(({ keyVersion }) => keyVersion)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
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

describe('a data key', () => {
  it('covers no more messages than it may, edits and notices counted', async () => {
    const limited = await bootConclave({ dataKeyMaxMessages: 5 })
    const owner = await limited.as('alice')
    const id = await createConversation(owner, [])
    for (let count = 0; count < 12; count++) await send(owner, id, `message ${count}`)
    await owner.run(RenameConversationDocument, { conversationId: id, title: 'Renamed' })
    const perKey = await limited.database.query<{ messages: number }>(
      'select count(*)::integer as messages from messages where conversation_id = $1 group by data_key_id order by min(sequence)',
      [id]
    )
    expect(perKey.map(({ messages }) => messages)).toEqual([5, 5, 3])
    limited.services.keyring.forgetAll()
    expect((await readBack(owner, id)).map(({ status }) => status)).toEqual(Array(13).fill('READABLE'))
    await limited.close()
  })

  it('is replaced when it has served its time', async () => {
    const aging = await bootConclave()
    const id = await createConversation(await aging.as('alice'), [])
    for (const hoursLater of [0, 23, 2]) {
      aging.clock.advance(hoursLater * 60 * 60 * 1000)
      await send(await aging.as('alice'), id, `${hoursLater} hours later`)
    }
    const [first, second, third] = await aging.database.query<{ data_key_id: string }>(
      'select data_key_id from messages where conversation_id = $1 order by sequence',
      [id]
    )
    expect(second).toEqual(first)
    expect(third).not.toEqual(second)
    await aging.close()
  })

  it('is shared by processes: what one sends the other sends and reads under the same', async () => {
    const other = await bootConclave({ databaseUrl: conclave.database.url })
    const id = await createConversation(alice, ['bob'])
    const bobElsewhere = await other.as('bob')
    for (let count = 0; count < 5; count++) {
      await send(alice, id, 'from one process')
      await send(bobElsewhere, id, 'from the other')
    }
    const keys = await conclave.database.query('select distinct data_key_id from messages where conversation_id = $1', [
      id
    ])
    expect(keys).toHaveLength(1)
    expect((await readBack(bobElsewhere, id)).map(({ status }) => status)).toEqual(Array(10).fill('READABLE'))
    await other.close()
  })
})

describe('the key pool', () => {
  it('is filled to its target and no further, and each pair in it is used once', async () => {
    const pooled = await bootConclave()
    expect(await pooled.workerServices.keySupply.refill(4)).toBe(4)
    expect(await pooled.workerServices.keySupply.refill(4)).toBe(0)
    const inPool = await pooled.database.query<{ key_id: string }>('select key_id from pooled_keys')
    const owner = await pooled.as('alice')
    const ids = await Promise.all(Array.from({ length: 6 }, () => createConversation(owner, [])))
    const used = await pooled.database.query<{ key_id: string }>('select key_id from conversation_keys')
    const usedIds = used.map((row) => row.key_id)
    expect(new Set(usedIds).size).toBe(ids.length)
    expect(usedIds).toEqual(expect.arrayContaining(inPool.map((row) => row.key_id)))
    expect(await pooled.database.query('select from pooled_keys')).toEqual([])
    await pooled.close()
  })

  it('gives a pair back when what it was taken for fails', async () => {
    const pooled = await bootConclave()
    await pooled.workerServices.keySupply.refill(1)
    const failing = pooled.services.keySupply.withKeyPair(async () => {
      throw new Error('nothing came of it')
    })
    await expect(failing).rejects.toThrow('nothing came of it')
    expect(await pooled.database.query('select from pooled_keys')).toHaveLength(1)
    await pooled.close()
  })
})

async function lastPage(id: string) {
  const { conversation } = await bob.run(MessagesDocument, { id, last: 50 })
  return conversation?.messages.edges.map(({ node }) => node) ?? []
}
