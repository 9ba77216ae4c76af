import { randomBytes } from 'node:crypto'
import type { WebSocket } from 'ws'

const PING_BYTES = 8

/**
 * Cuts a socket whose peer has not answered a ping by the time of the next one. Each ping has bytes of its own, which
 * the answer must give back (RFC 6455, section 5.5.3), and lies behind all that was sent before it: a client that reads
 * nothing cannot keep its socket, and what waits in it, by answers to nothing.
 */
export function cutDeadPeer(socket: WebSocket, everyMs: number): void {
  let awaited: Buffer | null = null
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return
    if (awaited) return socket.terminate()
    awaited = randomBytes(PING_BYTES)
    socket.ping(awaited)
  }, everyMs)
  socket.on('pong', (answer) => {
    if (awaited?.equals(answer)) awaited = null
  })
  socket.on('close', () => clearInterval(timer))
}
