import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { cutDeadPeer } from '../../../src/graphql/dead-peers.js'

const EVERY_MS = 50
/** Not taken by the buffers of both ends. */
const UNREAD = Buffer.alloc(32 * 1024 * 1024)

let server: WebSocketServer
let clients: WebSocket[]

beforeEach(async () => {
  clients = []
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    cutDeadPeer(socket, EVERY_MS)
  })
  await once(server, 'listening')
})
afterEach(async () => {
  for (const client of clients) client.terminate()
  await new Promise((resolve) => server.close(resolve))
})

describe('a peer', () => {
  it('that answers no ping is cut', async () => {
    await once(await connect({ autoPong: false }), 'close')
  })

  it('that answers with bytes of another ping is cut', async () => {
    const client = await connect({ autoPong: false })
    client.on('ping', (bytes: Buffer) => client.pong(Buffer.alloc(bytes.length)))
    await once(client, 'close')
  })

  it('that sends pongs and reads nothing is cut', async () => {
    const served = once(server, 'connection')
    const client = await connect({ autoPong: false })
    const [socket] = (await served) as [WebSocket]
    client.pause()
    socket.send(UNREAD)
    const pongs = setInterval(() => client.pong(), EVERY_MS / 10)
    await once(socket, 'close')
    clearInterval(pongs)
  })

  it('that answers each ping stays', async () => {
    const served = once(server, 'connection')
    const client = await connect()
    const [socket] = (await served) as [WebSocket]
    for (let ping = 1; ping <= 3; ping++) await once(client, 'ping')
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })
})

async function connect(options: { autoPong?: boolean } = {}): Promise<WebSocket> {
  const { port } = server.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}`, options)
  client.on('error', () => {})
  clients.push(client)
  await once(client, 'open')
  return client
}
