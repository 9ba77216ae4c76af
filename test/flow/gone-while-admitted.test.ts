import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { ExportConversationDocument } from '../../documents/generated.js'
import { runOperation } from '../../jobs/key-operations.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation } from '../support/chat.js'
import { ecRecipient } from '../support/transfer/recipients.js'

const JSON_BODY = { 'content-type': 'application/json', accept: 'text/event-stream' }

let conclave: TestConclave
let headers: Record<string, string>
let exportId: string
/** The server's ends of connections. */
const accepted: Socket[] = []
const onAccepted = (message: unknown) => void accepted.push((message as { socket: Socket }).socket)

beforeAll(async () => {
  conclave = await bootConclave()
  const alice = await conclave.as('alice')
  headers = { authorization: `Bearer ${await conclave.token('alice')}` }
  const conversationId = await createConversation(alice, [])
  const asked = { conversationId, publicKeyPem: ecRecipient().publicPem }
  exportId = (await alice.run(ExportConversationDocument, asked)).exportConversation.export.id
  await runOperation(conclave.workerServices, exportId, new AbortController().signal)
  subscribe('net.server.socket', onAccepted)
})
afterEach(() => {
  vi.restoreAllMocks()
  accepted.length = 0
})
afterAll(async () => {
  unsubscribe('net.server.socket', onAccepted)
  await conclave.close()
})

/** Each asks for a place. @returns what cuts the connection */
const ASKING: Record<string, () => Promise<() => void>> = {
  async 'a socket'() {
    const socket = new WebSocket(`${conclave.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'connection_init', payload: headers }))
    return () => socket.terminate()
  },
  async 'an event stream'() {
    const body = JSON.stringify({ query: 'subscription { inboxEvents { __typename } }' })
    return asking('/graphql/stream', 'POST', body)
  },
  async 'a download'() {
    return asking(`/exports/${exportId}`, 'GET')
  }
}

/** On a connection of its own. */
function asking(path: string, method: string, body = ''): () => void {
  const request = httpRequest(conclave.url + path, { agent: false, method, headers: { ...headers, ...JSON_BODY } })
  request.on('error', () => {}).end(body)
  return () => request.destroy()
}

it.each(Object.keys(ASKING))('%s that is cut while its place is being taken gives it back', async (kind) => {
  const answer = Promise.withResolvers<void>()
  const release = vi.fn()
  const take = vi.spyOn(conclave.services.places, 'take').mockImplementation(async () => {
    await answer.promise
    return release
  })
  const cut = await ASKING[kind]?.()
  await vi.waitFor(() => expect(take).toHaveBeenCalled())
  cut?.()
  await vi.waitFor(() => expect(accepted.map(({ closed }) => closed)).toEqual([true]))
  expect(release).not.toHaveBeenCalled()
  answer.resolve()
  await vi.waitFor(() => expect(release).toHaveBeenCalledOnce())
})
