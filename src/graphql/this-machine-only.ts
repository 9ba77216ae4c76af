import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isThisMachine } from '../this-machine.js'

const ELSEWHERE = 'In development this server answers to localhost only: it makes tokens for whoever asks.'

/**
 * Refuses requests that were sent to another name. A page on the web can have its own name lead to this machine, and is
 * then of the same origin to a browser; the name that it used stays in the header.
 */
export function answerThisMachineOnly(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isThisMachine(request.hostname)) return
    await reply.code(421).send({ errors: [{ message: ELSEWHERE, extensions: { code: 'FORBIDDEN' } }] })
  })
}

/** The same of an upgrade, which no hook of the framework sees. */
export function isForThisMachine({ headers: { host } }: IncomingMessage): boolean {
  return URL.canParse(`http://${host}`) && isThisMachine(new URL(`http://${host}`).hostname)
}
