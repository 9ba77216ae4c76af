import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/** How long a client may take to read the answer to what it has asked, when the server stops. */
const TAKE_WAIT_MS = 2_000

interface Operation {
  executed: PromiseWithResolvers<void>
  answered: PromiseWithResolvers<void>
}

/** Queries and mutations over sockets that have no answer yet: a server that stops waits for them. */
export class OperationsUnderWay<Socket extends object> {
  readonly #bySocket = new Map<Socket, Map<string, Operation>>()

  /** @param id of the operation, on its socket */
  begin(socket: Socket, id: string): void {
    const operations = this.#bySocket.get(socket) ?? new Map<string, Operation>()
    operations.set(id, { executed: Promise.withResolvers(), answered: Promise.withResolvers() })
    this.#bySocket.set(socket, operations)
  }

  /** The answer is known, and about to be sent. */
  executed(socket: Socket, id: string): void {
    this.#bySocket.get(socket)?.get(id)?.executed.resolve()
  }

  /** All of the answer but its last frame was taken. */
  answered(socket: Socket, id: string): void {
    const operations = this.#bySocket.get(socket)
    operations?.get(id)?.answered.resolve()
    operations?.delete(id)
    if (operations?.size === 0) this.#bySocket.delete(socket)
  }

  /** The socket has gone. */
  gone(socket: Socket): void {
    for (const { executed, answered } of this.#bySocket.get(socket)?.values() ?? []) {
      executed.resolve()
      answered.resolve()
    }
    this.#bySocket.delete(socket)
  }

  /** Settles when those that are under way on a socket at present have their answers, or nobody takes them. */
  async settled(socket: Socket): Promise<void> {
    const operations = [...(this.#bySocket.get(socket)?.values() ?? [])]
    if (operations.length === 0) return
    await Promise.all(operations.map(settledOne))
    // The last frame goes out in the turn of the answer.
    await nextTurn()
  }
}

async function settledOne({ executed, answered }: Operation): Promise<void> {
  await executed.promise
  await Promise.race([answered.promise, delay(TAKE_WAIT_MS, undefined, { ref: false })])
}
