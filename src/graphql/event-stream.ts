import type { ServerResponse } from 'node:http'
import { print } from 'graphql-sse'

/** Proxies cut what is quiet for half a minute or a minute. */
const KEEP_ALIVE_MS = 12_000
/** How long a client may take to read the end of its stream before it is cut off. */
const END_WAIT_MS = 2_000
/** Line of an event stream that means nothing to its reader. */
const COMMENT = ':\n\n'

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would gather events before it passes them on.
  'x-accel-buffering': 'no'
}

/** The results of one operation on their way to one client, in the words of graphql-sse's distinct connections mode. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #keepAlive: NodeJS.Timeout
  readonly #onOver: (() => void)[] = []
  /** Settles when there is room again, or none is needed any more; null while there is some. */
  #room: PromiseWithResolvers<void> | null = null
  #over = false

  constructor(response: ServerResponse) {
    this.#response = response
    response.on('error', () => response.destroy())
    response.once('close', () => this.#finish())
    response.on('drain', () => this.#makeRoom())
    response.writeHead(200, HEADERS)
    // Some browsers wait for the first bytes of the body before they call the connection open.
    response.write(COMMENT)
    this.#keepAlive = setInterval(() => response.writableNeedDrain || response.write(COMMENT), KEEP_ALIVE_MS)
    if (response.destroyed) this.#finish()
  }

  /** Runs once, when the client has gone or the stream has come to its end; at once if that was before. */
  onOver(leave: () => void): void {
    if (this.#over) leave()
    else this.#onOver.push(leave)
  }

  /** @returns false when the client has not taken what was sent before: nothing was sent */
  take(results: readonly string[]): boolean {
    if (this.#over || this.#response.writableNeedDrain) return false
    this.#response.write(results.map((result) => `event: next\ndata: ${result}\n\n`).join(''))
    return true
  }

  /**
   * Cuts off a client that takes nothing for so long. Not for subscriptions: who falls behind there is waited for, and
   * costs no memory.
   */
  cutUnread(afterMs: number): void {
    this.#response.setTimeout(afterMs)
  }

  /** Settles when there is room for another: whoever awaits it holds one result and no queue, however slow the client. */
  async next(result: object): Promise<void> {
    if (!this.#over) this.#response.write(print({ event: 'next', data: result }))
    await this.room()
  }

  /** Settles when the client has taken what was sent before, or has gone. */
  async room(): Promise<void> {
    if (this.#over || !this.#response.writableNeedDrain) return
    this.#room ??= Promise.withResolvers<void>()
    await this.#room.promise
  }

  /** @param last is sent before the end, whether there is room or not */
  complete(last?: object): void {
    if (this.#over) return
    this.#finish()
    if (last) this.#response.write(print({ event: 'next', data: last }))
    this.#response.end(print({ event: 'complete', data: null }))
    const cut = setTimeout(() => this.#response.destroy(), END_WAIT_MS)
    this.#response.once('close', () => clearTimeout(cut))
  }

  /** Cuts the connection in the middle of the response, so that no client takes it for the end of the results. */
  abort(): void {
    this.#finish()
    this.#response.destroy()
  }

  #makeRoom(): void {
    this.#room?.resolve()
    this.#room = null
  }

  #finish(): void {
    this.#over = true
    clearInterval(this.#keepAlive)
    this.#makeRoom()
    for (const leave of this.#onOver.splice(0)) leave()
  }
}
