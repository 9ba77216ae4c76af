import type { FastifyInstance } from 'fastify'
import type { Services } from '../services.js'
import { readinessOf } from './readiness.js'

/** What an orchestrator asks a process: whether it lives, and whether it serves. */
export function addProbes(app: FastifyInstance, services: Services): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_, reply) => {
    const readiness = await readinessOf(services)
    return await reply.code(readiness.status === 'unavailable' ? 503 : 200).send(readiness)
  })
}

/** What the process counts of itself, for whoever may read it. */
export function addMetrics(app: FastifyInstance, { metrics, metricsAccess }: Services): void {
  app.get('/metrics', async (request, reply) => {
    if (metricsAccess.allows(request.headers.authorization)) {
      return await reply.type(metrics.contentType).send(await metrics.text())
    }
    const message = 'Send METRICS_TOKEN as a bearer token in the Authorization header.'
    const errors = [{ message, extensions: { code: 'UNAUTHENTICATED' } }]
    return await reply.code(401).header('www-authenticate', 'Bearer').send({ errors })
  })
}
