import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { cutDeadPeer } from '../../../src/graphql/dead-peers.js'

const EVERY_MS = 12_000
/** Not taken by the buffers of both ends. */
const UNREAD = Buffer.alloc(32 * 1024 * 1024)

let server: WebSocketServer
let client: WebSocket
/** The same connection, as the server has it. */
let socket: WebSocket

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
})
afterEach(async () => {
  client.terminate()
  await new Promise((resolve) => server.close(resolve))
  vi.useRealTimers()
})

describe('a peer', () => {
  it('that answers no ping is cut at the next one', async () => {
    await connect({ autoPong: false })
    untilNextPing()
    expect(socket.readyState).toBe(WebSocket.OPEN)
    untilNextPing()
    await once(socket, 'close')
  })

  it('that answers with other bytes is cut', async () => {
    await connect({ autoPong: false })
    client.on('ping', (bytes: Buffer) => client.pong(Buffer.alloc(bytes.length)))
    untilNextPing()
    await once(socket, 'pong')
    untilNextPing()
    await once(socket, 'close')
  })

  it('that sends pongs and reads nothing is cut', async () => {
    await connect()
    client.pause()
    socket.send(UNREAD)
    untilNextPing()
    client.pong()
    await once(socket, 'pong')
    untilNextPing()
    await once(socket, 'close')
  })

  it('that answers each ping stays', async () => {
    await connect()
    for (let ping = 1; ping <= 3; ping++) {
      untilNextPing()
      await once(socket, 'pong')
    }
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  it('that has gone leaves no timer', async () => {
    await connect()
    client.close()
    await once(socket, 'close')
    expect(vi.getTimerCount()).toBe(0)
  })
})

async function connect(options: { autoPong?: boolean } = {}): Promise<void> {
  const { port } = server.address() as AddressInfo
  const connection = once(server, 'connection')
  client = new WebSocket(`ws://127.0.0.1:${port}`, options)
  client.on('error', () => {})
  const opened = once(client, 'open')
  ;[socket] = (await connection) as [WebSocket]
  socket.on('error', () => {})
  cutDeadPeer(socket, EVERY_MS)
  await opened
}

function untilNextPing(): void {
  vi.advanceTimersByTime(EVERY_MS)
}
