import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { RateLimited } from '../errors.js'
import type { Channel, UnreadBytes } from './unread-bytes.js'

/** No client of today sends a second request before it has the first answer; a proxy may send a few. */
const MAX_AT_ONCE = 10
const RETRY_AFTER_MS = 1_000

/** Answers that are not over, of one connection with a client of HTTP: it may ask for several (RFC 9112, section 9.3.2). */
class ConnectionAnswers implements Channel {
  readonly #socket: Socket
  readonly #answers = new Set<ServerResponse>()

  constructor(socket: Socket) {
    this.#socket = socket
    // Node closes none but the first.
    socket.once('close', () => this.#answers.clear())
  }

  get count(): number {
    return this.#answers.size
  }

  get unreadBytes(): number {
    if (this.#socket.destroyed) return 0
    return [...this.#answers].reduce((sum, { writableLength }) => sum + writableLength, 0)
  }

  add(answer: ServerResponse): void {
    this.#answers.add(answer)
    answer.once('close', () => this.#answers.delete(answer))
  }

  cut(): void {
    this.#socket.destroy()
  }
}

/** Holds clients of HTTP to how much they may ask for without reading it. */
export class HttpAnswers {
  readonly #unread: UnreadBytes
  readonly #ofSockets = new WeakMap<Socket, ConnectionAnswers>()
  readonly #users = new WeakMap<ServerResponse, string>()

  constructor(app: FastifyInstance, unread: UnreadBytes) {
    this.#unread = unread
    app.addHook('onRequest', async ({ raw }, reply) => {
      const answers = this.#of(raw.socket)
      answers.add(reply.raw)
      if (answers.count > MAX_AT_ONCE) await reply.code(429).send({ errors: [tooManyAtOnce()] })
    })
    app.addHook('onSend', (_, reply, _payload, done) => {
      this.makeRoom(reply.raw)
      done()
    })
  }

  /** @throws RateLimited for a user who is to read first */
  admit(userId: string, answer: ServerResponse): void {
    this.#unread.requireRead(userId)
    this.#users.set(answer, userId)
  }

  /** Before it is sent. */
  makeRoom(answer: ServerResponse): void {
    const userId = this.#users.get(answer)
    // Nothing is sent over a connection that has ended, and nobody would forget it again.
    if (userId === undefined || answer.destroyed) return
    const answers = this.#of(answer.req.socket)
    this.#unread.makeRoom(userId, answers)
    answer.once('close', () => answers.unreadBytes === 0 && this.#unread.forget(userId, answers))
  }

  #of(socket: Socket): ConnectionAnswers {
    const answers = this.#ofSockets.get(socket) ?? new ConnectionAnswers(socket)
    this.#ofSockets.set(socket, answers)
    return answers
  }
}

function tooManyAtOnce(): { message: string; extensions: object } {
  const message = `Too many requests at once over one connection: ${MAX_AT_ONCE} are allowed. Wait for an answer.`
  const { code, details } = new RateLimited(RETRY_AFTER_MS, message)
  return { message, extensions: { code, ...details } }
}
