import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Settings } from '../services.js'
import { type RequestSpan, startRequestSpan } from '../tracing/traced.js'

/**
 * Has each request to `/graphql` in a span, from its arrival to its answer. Event streams have none: they last for hours,
 * and what happens to them belongs to whatever has made it happen.
 */
export function traceRequests(app: FastifyInstance, { trustedProxies }: Pick<Settings, 'trustedProxies'>): void {
  const spans = new WeakMap<FastifyRequest, RequestSpan>()
  app.addHook('onRequest', (request, _, done) => {
    const { method, headers, routeOptions } = request
    const isTraced = routeOptions.url === '/graphql'
    // Whoever may name a trace may have everything traced: a proxy, and not just anybody.
    const span = isTraced && startRequestSpan(`${method} /graphql`, trustedProxies.length > 0 ? headers : null)
    if (!span) return done()
    spans.set(request, span)
    span.within(done)
  })
  // The reading of the body comes from the connection, and has lost the way.
  app.addHook('preValidation', (request, _, done) => {
    const span = spans.get(request)
    if (span) span.within(done)
    else done()
  })
  app.addHook('onResponse', async (request, reply) => spans.get(request)?.end(reply.statusCode))
}
