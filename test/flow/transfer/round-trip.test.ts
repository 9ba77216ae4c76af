import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { verifyKeyEvents } from '../../../src/conversation-key/verify-key-events.js'
import { exportConversation, exportUser } from '../../../src/transfer/export-records.js'
import { importExport, verifyExport } from '../../../src/transfer/import-export.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readConversation, requireExported } from '../../../src/transfer/read-conversation.js'
import { readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import type { MessageRecord } from '../../../src/transfer/records.js'
import { exportSigner, listSigningKeys } from '../../../src/transfer/signing-key.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import { chatter } from '../../support/transfer/chatter.js'
import { collected, drained, fileOf } from '../../support/transfer/files.js'
import { rsaRecipient } from '../../support/transfer/recipients.js'

const recipient = rsaRecipient()
let source: TestConclave
let target: TestConclave
let id: string
let file: string

beforeAll(async () => {
  source = await bootConclave()
  target = await bootConclave(
    {},
    { MASTER_KEY: 'local:other', MASTER_SECRETS: `other=${Buffer.alloc(32, 9).toString('base64')}` }
  )
  id = await chatter(source)
  file = await exported(source, id)
})
afterAll(async () => {
  await source.close()
  await target.close()
})

describe('an export', () => {
  it('is refused of a conversation that there is not', async () => {
    await expect(exported(source, '0193a000-0000-7000-8000-000000000001')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('is signed with a key that is not left in memory, when it is made and when it is opened', async () => {
    const { current } = target.workerServices.masterKeys
    const wrap = vi.spyOn(current, 'wrap')
    const unwrap = vi.spyOn(current, 'unwrap')
    try {
      await exportSigner(target.workerServices)
      const [made] = wrap.mock.calls.flatMap(([keys]) => keys.map(({ privateKey }) => privateKey))
      await exportSigner(target.workerServices)
      const [opened] = (await unwrap.mock.results[0]?.value) ?? []
      expect([made, opened].map((bytes) => [bytes?.length > 0, bytes?.every((byte: number) => byte === 0)])).toEqual([
        [true, true],
        [true, true]
      ])
    } finally {
      wrap.mockRestore()
      unwrap.mockRestore()
    }
  })

  it('is given up where messages are purged while it is written', async () => {
    const own = await createConversation(await source.as('alice'), [])
    await send(await source.as('alice'), own, 'one')
    const conversation = await requireExported(source.workerServices, own)
    await source.database.query('delete from messages where conversation_id = $1', [own])
    await expect(collected(readConversation(source.workerServices, conversation, 0))).rejects.toMatchObject({
      code: 'NOT_FOUND'
    })
  })

  it('has its title although the key goes out of reach behind it', async () => {
    const { keyring } = source.workerServices
    const open = keyring.open.bind(keyring)
    const once = vi.spyOn(keyring, 'open')
    once.mockImplementation(async (places) => places.map(() => ({ state: 'UNAVAILABLE', retry: true }) as const))
    once.mockImplementationOnce(open)
    try {
      const records = readConversation(source.workerServices, await requireExported(source.workerServices, id), 0)
      expect((await records.next()).value).toMatchObject({ title: 'Ward round, east' })
      await expect(collected(records)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' })
    } finally {
      once.mockRestore()
    }
  })

  it('has every message, notice, edit and deletion, and every member', async () => {
    const { yielded } = await drained(openExport(fileOf(file), await key()))
    const records = yielded.map(({ value }) => value)
    const messages = records.filter(({ type }) => type === 'message') as unknown as MessageRecord[]
    expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index + 1))
    expect(messages.filter(({ kind }) => kind === 'SYSTEM').map(({ body }) => body)).toEqual([
      'Alice added carol',
      expect.stringContaining('Alice')
    ])
    expect(messages.find(({ body }) => body === 'was edited twice')).toMatchObject({
      revision: 2,
      editedAt: expect.any(String)
    })
    expect(messages.find(({ status }) => status === 'DELETED')).toMatchObject({
      body: null,
      deletedAt: expect.any(String)
    })
    expect(records.filter(({ type }) => type === 'member')).toMatchObject([
      { userId: 'alice', role: 'OWNER' },
      { userId: 'bob', role: 'MEMBER' },
      { userId: 'carol', role: 'MEMBER' }
    ])
    expect(records[0]).toMatchObject({ type: 'conversation', title: 'Ward round, east' })
  })

  it('has no word of it that can be read without the key', () => {
    for (const word of ['Ward round', 'was edited twice', 'alice']) {
      expect(file).not.toContain(word)
      expect(file).not.toContain(Buffer.from(word).toString('base64url').slice(0, -2))
    }
  })

  it('is in the audit trail, before its first line was given and after its last', async () => {
    const events = await source.database.query<{ action: string; detail: string }>(
      `select action, detail from key_events where conversation_id = $1 and action like 'export.%' order by sequence`,
      [id]
    )
    expect(events.map(({ action }) => action)).toEqual(['export.started', 'export.finished'])
    expect(events[0]?.detail).toContain(`for=${(await key()).thumbprint}`)
    expect(await verifyKeyEvents(source.services)).toMatchObject({ valid: true })
  })

  it('of a user has what that user wrote, wherever it was, and nothing else', async () => {
    const carol = await source.as('carol')
    const bob = await source.as('bob', { name: 'Bob' })
    const another = await createConversation(carol, ['bob'])
    await send(bob, another, 'bob in another place')
    await send(carol, another, 'not of bob')
    const order = { actor: 'operator:test', recipient: await readRecipientKey(recipient.publicPem) }
    const lines = await collected(exportUser(source.workerServices, 'bob', order))
    const { yielded, returned } = await drained(openExport(fileOf(lines), await key()))
    const messages = yielded
      .map(({ value }) => value)
      .filter(({ type }) => type === 'message') as unknown as MessageRecord[]
    expect(new Set(messages.map(({ senderId }) => senderId))).toEqual(new Set(['bob']))
    expect(new Set(messages.map(({ conversationId }) => conversationId))).toEqual(new Set([id, another]))
    expect(messages.map(({ body }) => body)).toContain('bob in another place')
    expect(returned.manifest.subject).toEqual({ userId: 'bob' })
    await expect(imported(lines.join(''))).rejects.toMatchObject({
      code: 'FORMAT',
      message: expect.stringContaining('one user wrote')
    })
  })
})

describe('an import of an export', () => {
  it('is refused, and nothing is stored, where nobody knows who has signed it', async () => {
    const importing = importExport(target.services, () => fileOf(file), await key(), new Set(['somebody']), {
      actor: 'operator:test'
    })
    await expect(importing).rejects.toMatchObject({
      code: 'MANIFEST',
      message: expect.stringContaining('not known here')
    })
    expect(await counts(target)).toEqual({ conversations: 0, messages: 0, imports: 0 })
  })

  it('is refused, and nothing is stored, where the file was cut off', async () => {
    const lines = file.split('\n')
    await expect(imported(lines.slice(0, -2).join('\n'))).rejects.toMatchObject({ code: 'FORMAT' })
    expect(await counts(target)).toEqual({ conversations: 0, messages: 0, imports: 0 })
  })

  it('into another database gives every message as it was', async () => {
    expect(await imported(file)).toMatchObject({ resumedBehind: 0, finished: true })
    for (const [user, name] of [
      ['alice', 'Alice'],
      ['bob', 'Bob'],
      ['carol', 'carol']
    ] as const) {
      const [before, after] = [await source.as(user, { name }), await target.as(user, { name })]
      const [theirs, ours] = [await readBack(before, id), await readBack(after, id)]
      // Under which version they lie is the one thing that is new.
      const described = (messages: typeof ours) => messages.map(({ keyVersion: _, ...message }) => message)
      expect(described(ours)).toEqual(described(theirs))
      expect(ours.length).toBeGreaterThan(35)
    }
    expect(await verifyKeyEvents(target.services)).toMatchObject({ valid: true })
  })

  it('again changes nothing', async () => {
    const before = await everything(target)
    expect(await imported(file)).toMatchObject({ messages: 0, finished: true })
    expect(await everything(target)).toEqual(before)
  })

  it('is refused where the conversation is there, from another export or from itself', async () => {
    const later = await exported(source, id)
    await expect(imported(later)).rejects.toMatchObject({ code: 'CONFLICT', line: 1 })
    const trusted = new Set((await listSigningKeys(source.services)).map(({ thumbprint }) => thumbprint))
    const back = importExport(source.services, () => fileOf(later), await key(), trusted, { actor: 'operator:test' })
    await expect(back).rejects.toMatchObject({ code: 'CONFLICT', line: 1, message: expect.stringContaining(id) })
  })

  it('leaves a conversation that goes on like any other', async () => {
    const alice = await target.as('alice')
    const count = (await readBack(alice, id)).length
    const sent = await send(alice, id, 'goes on')
    expect(sent.sequence).toBe(count + 1)
    expect((await readBack(await target.as('bob'), id)).at(-1)?.body).toBe('goes on')
  })

  it('can be exported again, and is the same', async () => {
    const fresh = await bootConclave()
    try {
      const trusted = new Set((await listSigningKeys(source.services)).map(({ thumbprint }) => thumbprint))
      await importExport(fresh.services, () => fileOf(file), await key(), trusted, { actor: 'operator:test' })
      const again = await exported(fresh, id)
      const [first, second] = [await opened(file), await opened(again)]
      expect(second).toEqual(first)
    } finally {
      await fresh.close()
    }
  })
})

describe('the key that signs exports', () => {
  it('is one for all of them, and is wrapped like any other', async () => {
    const keys = await listSigningKeys(source.services)
    expect(keys).toHaveLength(1)
    const { signedBy } = await verifyExport(() => fileOf(file), await key())
    expect(signedBy).toBe(keys[0]?.thumbprint)
  })

  it('is another one under another master key, and the one before stays known', async () => {
    const own = await bootConclave()
    try {
      const conversation = await createConversation(await own.as('alice'), [])
      const before = await verifyExport(await fileOfExport(own, conversation), await key())
      const secret = (byte: number) => Buffer.alloc(32, byte).toString('base64')
      await own.restart(
        {},
        {
          MASTER_KEY: 'local:next',
          MASTER_KEYS_RETIRING: 'local:test',
          MASTER_SECRETS: `test=${secret(7)},next=${secret(8)}`
        }
      )
      const after = await verifyExport(await fileOfExport(own, conversation), await key())
      const known = (await listSigningKeys(own.services)).map(({ thumbprint }) => thumbprint)
      expect(known).toEqual([before.signedBy, after.signedBy])
    } finally {
      await own.close()
    }
  })
})

async function key() {
  return await readPrivateKey(recipient.privatePem)
}

async function exported(conclave: TestConclave, conversationId: string): Promise<string> {
  const order = { actor: 'operator:test', recipient: await readRecipientKey(recipient.publicPem) }
  return (await collected(exportConversation(conclave.workerServices, conversationId, order))).join('')
}

async function fileOfExport(conclave: TestConclave, conversationId: string) {
  const text = await exported(conclave, conversationId)
  return () => fileOf(text)
}

async function imported(text: string) {
  const trusted = new Set((await listSigningKeys(source.services)).map(({ thumbprint }) => thumbprint))
  return await importExport(target.services, () => fileOf(text), await key(), trusted, { actor: 'operator:test' })
}

async function opened(text: string) {
  return (await drained(openExport(fileOf(text), await key()))).yielded.map(({ value }) => value)
}

async function counts({ database }: TestConclave) {
  const [row] = await database.query<Record<string, number>>(
    `select (select count(*)::integer from conversations) as conversations,
            (select count(*)::integer from messages) as messages, (select count(*)::integer from imports) as imports`
  )
  return row
}

async function everything({ database }: TestConclave) {
  const tables = [
    'conversations',
    'members',
    'messages',
    'data_keys',
    'conversation_keys',
    'imports',
    'key_events',
    'users'
  ]
  const digests: unknown[] = []
  for (const table of tables) {
    digests.push(await database.query(`select md5(string_agg(t::text, '|' order by t::text)) from ${table} t`))
  }
  return digests
}
