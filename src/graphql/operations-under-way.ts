import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { OperationTypeNode } from 'graphql'

/** How long a client may take to read the answer to what it has asked, when the server stops. */
const TAKE_WAIT_MS = 2_000

interface Operation {
  isSubscription: boolean
  /** A subscription whose events are followed: the client can end it at any time. */
  isFollowed: boolean
  executed: PromiseWithResolvers<void>
  answered: PromiseWithResolvers<void>
}

/**
 * Operations over sockets, until all that was begun for them has ended, whatever has become of the client's interest in
 * them: so many there may be at once. A server that stops waits for queries and mutations.
 */
export class OperationsUnderWay<Socket extends object> {
  readonly #bySocket = new Map<Socket, Map<string, Operation>>()

  /** @param id of the operation, on its socket */
  begin(socket: Socket, id: string, type: OperationTypeNode): void {
    const operations = this.#bySocket.get(socket) ?? new Map<string, Operation>()
    const settling = { executed: Promise.withResolvers<void>(), answered: Promise.withResolvers<void>() }
    operations.set(id, { isSubscription: type === 'subscription', isFollowed: false, ...settling })
    this.#bySocket.set(socket, operations)
  }

  has(socket: Socket, id: string): boolean {
    return this.#bySocket.get(socket)?.has(id) ?? false
  }

  /**
   * How many take up room on a socket: a client's `complete` ends a subscription, and no query that is being executed.
   *
   * @param wanted what the client has not completed, by id
   */
  count(socket: Socket, wanted: object): number {
    const operations = [...(this.#bySocket.get(socket) ?? [])]
    return operations.filter(([id, { isFollowed }]) => !isFollowed || id in wanted).length
  }

  /** The answer is known, and about to be sent; or the events of a subscription are. */
  executed(socket: Socket, id: string): void {
    const operation = this.#bySocket.get(socket)?.get(id)
    if (!operation) return
    operation.isFollowed = operation.isSubscription
    operation.executed.resolve()
  }

  /** All of the answer but its last frame was taken, or the client has ended it. */
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

  /** Settles when queries and mutations that are under way on a socket at present have their answers, or nobody takes them. */
  async settled(socket: Socket): Promise<void> {
    const all = [...(this.#bySocket.get(socket)?.values() ?? [])]
    const operations = all.filter(({ isSubscription }) => !isSubscription)
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
