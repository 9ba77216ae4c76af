import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { BadUserInput, Conflict, NotFound, RateLimited, Unauthenticated } from '../errors.js'
import type { Services } from '../services.js'
import { exportedLines, requireExport } from '../transfer/ordered-exports.js'
import { createContext, requireViewer } from './context.js'
import type { formatError } from './format-error.js'
import { requireOperationId } from './ids.js'
import { whenExpired } from './when-expired.js'

type Format = (error: unknown) => ReturnType<typeof formatError>

/** Serves the files of exports at `/exports/<id>`, to whoever has asked for them, as they are read from the database. */
export function serveExports(app: FastifyInstance, services: Services, format: Format): void {
  app.get<{ Params: { id: string } }>('/exports/:id', async ({ params, headers, ip }, reply) => {
    try {
      const viewer = requireViewer(await createContext(services, headers.authorization, 'http', ip))
      await services.rateLimits.require('CONNECTIONS', viewer, ip)
      const id = requireOperationId('id', params.id)
      const { state, error } = await requireExport(services, viewer, id)
      if (state !== 'SUCCEEDED') throw new Conflict(error ?? 'The export is not whole yet: its state says when it is.')
      // Like whatever else stays open: one of so many of its user, and no longer than the token.
      const release = await services.places.take(viewer.id)
      const lines = Readable.from(exportedLines(services, viewer, id), { objectMode: false, highWaterMark: 1 })
      const stopExpiry = whenExpired(services, viewer, () =>
        lines.destroy(new Unauthenticated('The token has expired.'))
      )
      lines.once('close', () => {
        release()
        stopExpiry()
      })
      reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="${id}.conclave-export"`)
      return await reply.send(lines)
    } catch (error) {
      return await refuse(reply, error, format)
    }
  })
}

async function refuse(reply: FastifyReply, error: unknown, format: Format): Promise<FastifyReply> {
  if (error instanceof RateLimited) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000))
  return await reply.code(statusOf(error)).send({ errors: [format(error)] })
}

function statusOf(error: unknown): number {
  if (error instanceof Unauthenticated) return 401
  if (error instanceof NotFound || error instanceof BadUserInput) return 404
  if (error instanceof Conflict) return 409
  return error instanceof RateLimited ? 429 : 500
}
