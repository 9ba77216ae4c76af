import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateKeyDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

const READABLE = Array(14).fill('READABLE')

describe.each([1, 3])('with a cache for %i data keys', (dataKeyCacheMax) => {
  let conclave: TestConclave
  let alice: GraphQLClient
  let id: string
  beforeAll(async () => {
    conclave = await bootConclave({ dataKeyCacheMax, dataKeyMaxMessages: 2 })
    alice = await conclave.as('alice')
    id = await createConversation(alice, [])
    for (let count = 0; count < 14; count++) {
      await send(alice, id, `message ${count}`)
      if (count === 6) await alice.run(RotateKeyDocument, { conversationId: id })
    }
  })
  afterAll(() => conclave.close())

  it('a page that needs more of them than that is readable throughout, from a cold cache and a warm one', async () => {
    const keys = await conclave.database.query('select distinct data_key_id from messages where conversation_id = $1', [
      id
    ])
    expect(keys.length).toBeGreaterThan(3)
    conclave.services.keyring.forgetAll()
    for (let round = 0; round < 2; round++) {
      expect((await readBack(alice, id)).map(({ status }) => status)).toEqual(READABLE)
    }
  })

  it('several such pages at once are readable throughout, while others send', async () => {
    const other = await createConversation(alice, [])
    const sending = (async () => {
      for (let count = 0; count < 6; count++) await send(alice, other, 'meanwhile')
    })()
    const reading = Array.from({ length: 6 }, () => readBack(alice, id))
    const [pages] = await Promise.all([Promise.all(reading), sending])
    for (const page of pages) expect(page.map(({ status }) => status)).toEqual(READABLE)
  })
})
