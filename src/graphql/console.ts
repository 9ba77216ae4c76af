import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Where `npm run build` puts the console, beside the compiled sources. */
const FOLDER = join(import.meta.dirname, '../../web')

const WITHOUT_CONSOLE =
  'Conclave. GraphQL is at /graphql, over HTTP and WebSocket, and at /graphql/stream as event streams.\n'

/**
 * Serves the console at `/`, and tells it whether the server makes tokens itself.
 *
 * @param development whether `devToken` is there
 */
export async function serveConsole(app: FastifyInstance, development: boolean): Promise<void> {
  app.get('/console.json', async () => ({ development }))
  // Run from its sources the server has no console, and says what it has.
  if (!existsSync(join(FOLDER, 'assets'))) {
    app.get('/', async (_, reply) => reply.type('text/plain').send(WITHOUT_CONSOLE))
    return
  }
  await app.register(fastifyStatic, {
    root: FOLDER,
    wildcard: false,
    preCompressed: true,
    cacheControl: false,
    setHeaders(reply, path) {
      // The names of assets change with what is in them.
      if (path.startsWith(join(FOLDER, 'assets'))) {
        reply.header('cache-control', 'public, max-age=31536000, immutable')
      }
    }
  })
}
