import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { answerCalls } from '../answer-calls.js'

/** The least that a server can do: each POST sends one frame, made once, to every socket. */

let frame = ''
let sequence = 0

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const sent = `"sequence":${++sequence}`
    const prepared = Buffer.from(frame.replace(/"sequence":\d+/, sent))
    for (const socket of sockets.clients) socket.send(prepared, { binary: false })
    response.end(`{${sent}}`)
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (socket) => socket.once('message', () => socket.send('{"type":"connection_ack"}')))
await once(server.listen(0, '127.0.0.1'), 'listening')

answerCalls({
  /** @returns where it serves */
  prepare(sample: string) {
    frame = sample
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  }
})
