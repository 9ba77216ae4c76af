import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { canHaveDisks, SmallDisk } from '../support/small-disk.js'

const LONG = 'x'.repeat(20_000)
/** More than there can be room for in the pages that a table has already. */
const MANY = 200

describe.skipIf(!canHaveDisks)('a database whose disk is full', () => {
  let disk: SmallDisk
  let conclave: TestConclave
  let alice: GraphQLClient
  let id: string

  beforeAll(async () => {
    disk = new SmallDisk(64)
    conclave = await bootConclave({}, {}, { tablespace: disk.folder })
    alice = await conclave.as('alice')
    id = await createConversation(alice, [])
  })
  afterAll(async () => {
    await conclave?.close()
    disk?.remove()
  })

  it('refuses sends with a hint, keeps what it has acknowledged, and takes more when there is room', async () => {
    disk.fill()
    const acknowledged: string[] = []
    let refusal: object | undefined
    for (let count = 0; count < MANY && !refusal; count++) {
      const body = `${count} ${LONG}`
      const { errors } = await alice.execute(SendMessageDocument, { input: { conversationId: id, body } })
      if (errors) refusal = errors[0]?.extensions
      else acknowledged.push(body)
    }
    expect(refusal).toMatchObject({ code: 'INTERNAL', retryAfterMs: expect.any(Number) })
    expect(conclave.logged()).toContain('53100')
    // Until then the database may refuse to read as well, where it wants a page for what it knows of others.
    disk.makeRoom()
    await send(alice, id, 'there is room again')
    expect((await readBack(alice, id)).map(({ body }) => body)).toEqual([...acknowledged, 'there is room again'])
  })
})
