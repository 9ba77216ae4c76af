import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'

/** Stands between a client and a server, and fails as networks do. */
export class TcpProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #target: number
  #cut = false
  #silent = false
  #hangsUp = false
  #latencyMs = 0
  /** Connections that were opened, also those that were cut at once. */
  connections = 0

  private constructor(targetPort: number) {
    this.#target = targetPort
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#connect(client))
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Resets every connection, and every new one. */
  cut(): void {
    this.#cut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Resets one of the clients' connections. @param random from 0 to 1 */
  cutOne(random: number): void {
    const sockets = [...this.#sockets]
    sockets[Math.floor(random * sockets.length)]?.resetAndDestroy()
  }

  /** Passes new connections on to another port. */
  retarget(port: number): void {
    this.#target = port
  }

  /** Takes requests and closes its half of the connection in the place of an answer. */
  hangUp(): void {
    this.#hangsUp = true
  }

  /** Takes requests and passes on no answer, nor an end. */
  silence(): void {
    this.#silent = true
  }

  /** Holds back every answer for so long. */
  slow(latencyMs: number): void {
    this.#latencyMs = latencyMs
  }

  /** Lets everything through again. */
  restore(): void {
    this.#cut = false
    this.#silent = false
    this.#hangsUp = false
    this.#latencyMs = 0
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connect(client: Socket): void {
    this.connections++
    this.#keep(client)
    if (this.#cut) {
      client.resetAndDestroy()
      return
    }
    const server = createConnection({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true })
    this.#keep(server)
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk) => this.#answer(client, chunk))
    client.on('end', () => server.end())
    server.on('end', () => !this.#silent && client.end())
    client.on('close', () => server.destroy())
    server.on('close', () => !this.#silent && client.destroySoon())
  }

  #answer(client: Socket, chunk: Buffer): void {
    if (this.#silent) return
    if (this.#hangsUp) {
      client.end()
      return
    }
    if (this.#latencyMs === 0) client.write(chunk)
    else setTimeout(() => client.writable && client.write(chunk), this.#latencyMs)
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    // A reset is what this proxy is for.
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
