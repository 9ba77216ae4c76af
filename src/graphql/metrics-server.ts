import fastify from 'fastify'
import type { Services } from '../services.js'
import { hardenHttp, serverOptions } from './http-hardening.js'
import { listen } from './listen.js'
import { addMetrics, addProbes } from './probes.js'

export interface MetricsServer {
  url: string
  close(): Promise<void>
}

/**
 * Serves metrics and probes on a port of their own, which nobody has to be able to reach but whoever watches: for
 * workers the only one.
 *
 * @param port 0 for one that the system gives
 * @throws StartError when the port is taken
 */
export async function startMetricsServer(services: Services, port: number): Promise<MetricsServer> {
  const { config } = services
  const app = fastify({ ...serverOptions(config), forceCloseConnections: true })
  await hardenHttp(app, config)
  app.addHook('onRequest', async (_, reply) => void reply.header('cache-control', 'no-store'))
  addProbes(app, services)
  addMetrics(app, services)
  const url = await listen(app, config.metricsHost, port, { host: 'METRICS_HOST', port: 'METRICS_PORT' })
  return { url, close: () => app.close() }
}
