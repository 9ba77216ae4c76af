import { once } from 'node:events'
import type { Socket } from 'node:net'
import WebSocket from 'ws'

/** More often than the server asks whether somebody is there. */
const PONG_MS = 4_000

/** A graphql-transport-ws client that a test holds by its socket: it can stop reading, and sees every frame. */
export class RawSocket {
  readonly frames: { type: string; id?: string; payload?: unknown }[] = []
  readonly #socket: WebSocket
  #beat: NodeJS.Timeout | undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data))))
    socket.on('error', () => {})
  }

  /** @param url of the server, http:// */
  static async connect(url: string, token: string): Promise<RawSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
    const raw = new RawSocket(socket)
    await once(socket, 'open')
    raw.#send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })
    await once(socket, 'message')
    return raw
  }

  subscribe(id: string, query: string): void {
    this.#send({ type: 'subscribe', id, payload: { query } })
  }

  /** Of the protocol: it is answered with the same payload. */
  ping(payload: object): void {
    this.#send({ type: 'ping', payload })
  }

  /** Settles with the code that the server closes with. */
  async closed(): Promise<number> {
    const [code] = (await once(this.#socket, 'close')) as [number]
    return code
  }

  /** Reads nothing more: the server's side fills up. It goes on saying that it is there (RFC 6455, section 5.5.3). */
  stopReading(): void {
    this.#tcp.pause()
    this.#beat = setInterval(() => this.#socket.pong(), PONG_MS)
  }

  readOn(): void {
    clearInterval(this.#beat)
    this.#tcp.resume()
  }

  /** Says that it is over, and waits for the server to say so too. */
  close(): void {
    clearInterval(this.#beat)
    this.#socket.close()
  }

  get localPort(): number {
    return this.#tcp.localPort ?? 0
  }

  terminate(): void {
    clearInterval(this.#beat)
    this.#socket.terminate()
  }

  get #tcp(): Socket {
    return (this.#socket as unknown as { _socket: Socket })._socket
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame))
  }
}
