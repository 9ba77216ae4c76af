import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateKeyDocument, ScheduleKeyDestructionDocument } from '../../documents/generated.js'
import { messageAssociatedData } from '../../src/crypto/associated-data.js'
import { decryptText } from '../../src/crypto/decrypt-text.js'
import { suiteName } from '../../src/crypto/envelope.js'
import { fingerprint, importPrivateKey, unwrapDataKey } from '../../src/crypto/key-transport.js'
import type { PrivateKey } from '../../src/crypto/keys.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import { runDueWork } from '../support/worker-run.js'

/** Somebody who records rows, and can compute private keys of RSA from their public halves: what he gets, and what not. */

interface Recorded {
  id: string
  senderId: string
  dataKeyId: string
  envelope: Buffer
  wrappedKey: Buffer
  keyId: string
  publicKey: Buffer
  wrappedPrivateKey: Buffer
}

const BODY = 'recorded while its key was there'

let conclave: TestConclave
let conversationId: string
let recorded: Recorded
let computed: PrivateKey

beforeAll(async () => {
  conclave = await bootConclave()
  const alice = await conclave.as('alice', { scopes: ['keys:admin'] })
  conversationId = await createConversation(alice, [])
  await send(alice, conversationId, BODY)
  recorded = await record()
  computed = await computedPrivateKey()
  await alice.run(RotateKeyDocument, { conversationId })
  await alice.run(ScheduleKeyDestructionDocument, { conversationId, version: 1, after: 'PT1S' })
  conclave.clock.advance(1_000)
  await runDueWork(conclave)
})
afterAll(() => conclave.close())

describe('somebody to whom RSA is broken', () => {
  it('finds neither the wrapped data key nor the private key of a destroyed version in the database, only what AES-256-GCM has made', async () => {
    expect(await columnsWith(recorded.envelope)).toEqual(['messages.envelope'])
    expect(suiteName(recorded.envelope)).toBe('A256GCM')
    expect(await columnsWith(recorded.wrappedKey)).toEqual([])
    expect(await columnsWith(recorded.wrappedPrivateKey)).toEqual([])
  })

  it('reads without the master key what he had recorded before the destruction', async () => {
    expect(suiteName(recorded.wrappedKey)).toBe('RSA_OAEP_256')
    const dataKey = await unwrapDataKey(computed, recorded.wrappedKey)
    const { id: messageId, senderId, dataKeyId, envelope } = recorded
    const context = messageAssociatedData({ conversationId, messageId, senderId, dataKeyId, revision: 0 })
    expect(decryptText(dataKey, envelope, context)).toBe(BODY)
  })
})

async function record(): Promise<Recorded> {
  const [row] = await conclave.database.query<Recorded>(
    `select m.id, m.sender_id as "senderId", m.data_key_id as "dataKeyId", m.envelope, d.wrapped_key as "wrappedKey",
            k.key_id as "keyId", k.public_key as "publicKey", k.wrapped_private_key as "wrappedPrivateKey"
       from messages m
       join data_keys d on d.conversation_id = m.conversation_id and d.id = m.data_key_id
       join conversation_keys k on k.conversation_id = d.conversation_id and k.version = d.key_version
      where m.conversation_id = $1`,
    [conversationId]
  )
  if (!row) throw new Error('nothing was recorded')
  return row
}

/** What he computes; here it has to be unwrapped. */
async function computedPrivateKey(): Promise<PrivateKey> {
  const { keyId, publicKey, wrappedPrivateKey: wrapped } = recorded
  const context = { keyId, fingerprint: fingerprint(publicKey) }
  const [der] = await conclave.services.masterKeys.current.unwrap([{ wrapped, context }])
  if (!Buffer.isBuffer(der)) throw new Error('the private key could not be unwrapped')
  return importPrivateKey(der)
}

/** Every column of every table that has these bytes somewhere in a value. */
async function columnsWith(bytes: Buffer): Promise<string[]> {
  const columns = await conclave.database.query<{ table: string; column: string }>(
    `select c.table_name as "table", c.column_name as "column" from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type = 'bytea'`
  )
  const found: string[] = []
  for (const { table, column } of columns) {
    const rows = await conclave.database.query(`select from ${table} where position($1::bytea in ${column}) > 0`, [
      bytes
    ])
    if (rows.length > 0) found.push(`${table}.${column}`)
  }
  return found.sort()
}
