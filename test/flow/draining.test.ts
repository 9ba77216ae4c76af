import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { bootConclave, programEnvironment, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { holdConversation, untilWaiting } from '../support/held-transaction.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { RawSocket } from '../support/raw-socket.js'

/** An API process that a supervisor stops while it is at work. */

let conclave: TestConclave
let program: InstalledProgram
let server: RunningProgram
let url: string
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  id = await createConversation(await conclave.as('alice'), [])
  program = await InstalledProgram.built()
  server = program.startApi({ ...programEnvironment(conclave), PORT: '0' })
  url = await server.ready()
}, 120_000)
afterAll(async () => {
  await program.remove()
  await conclave.close()
})

describe('a server that gets SIGTERM', () => {
  it('finishes what is under way, sends subscribers elsewhere, takes nothing new, and ends with 0', async () => {
    const token = await conclave.token('alice')
    const socket = await RawSocket.connect(url, token)
    socket.subscribe('1', `subscription { messageEvents(conversationId: "${id}") { cursor } }`)
    const held = await holdConversation(conclave.database, id)
    const sending = new GraphQLClient(url, token).execute(SendMessageDocument, {
      input: { conversationId: id, body: 'under way' }
    })
    await untilWaiting(conclave.database, 1)
    const closed = socket.closed()
    server.terminate()
    expect(await closed).toBe(1001)
    await vi.waitFor(async () => await expect(fetch(`${url}/healthz`)).rejects.toThrow())
    await held.commit()
    expect((await sending).data?.sendMessage.message.body).toBe('under way')
    expect((await server.finished()).code).toBe(0)
  })
})
