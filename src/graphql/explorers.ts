import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import type { Settings } from '../services.js'
import { pagePolicy } from './http-hardening.js'
import { sendPlainPage } from './plain-page.js'
import { hasIntrospection } from './validation-rules.js'

/** Where `npm run build` puts them, as the compiled program sees it and as it is seen from the sources. */
const FOLDERS = ['../../explorers', '../../dist/explorers'].map((path) => join(import.meta.dirname, path))

/**
 * Its editor places lines by attributes of style, and makes the colours of a theme into an element of its own; fonts
 * and small pictures, such as what it underlines mistakes with, stand in its stylesheets.
 */
const GRAPHIQL_POLICY = pagePolicy({
  styleSrc: ["'self'", "'unsafe-inline'"],
  fontSrc: ["'self'", 'data:'],
  imgSrc: ["'self'", 'data:'],
  workerSrc: ["'self'"]
})

const SANDBOX_SCRIPT = 'https://embeddable-sandbox.cdn.apollographql.com'
const SANDBOX_POLICY = pagePolicy({
  scriptSrc: ["'self'", SANDBOX_SCRIPT],
  styleSrc: ["'self'", SANDBOX_SCRIPT],
  frameSrc: ['https://sandbox.embed.apollographql.com']
})

interface Page {
  path: string
  file: string
  policy: string
}

const GRAPHIQL: Page = { path: '/graphiql', file: 'graphiql.html', policy: GRAPHIQL_POLICY }
const SANDBOX: Page = { path: '/sandbox', file: 'sandbox.html', policy: SANDBOX_POLICY }

const NOT_BUILT = {
  status: 503,
  title: 'Conclave: explorers',
  body: '<p>The explorers have not been built. Run <code>npm run build</code>, and start the server again.</p>'
}

/**
 * Serves GraphiQL at `/graphiql` wherever the schema can be asked for, all of it from the project's own files; and in
 * development Apollo Sandbox at `/sandbox`, of which only the page around it is the project's.
 */
export async function serveExplorers(app: FastifyInstance, config: Settings): Promise<void> {
  if (!hasIntrospection(config)) return
  const pages = config.mode === 'production' ? [GRAPHIQL] : [GRAPHIQL, SANDBOX]
  const folder = FOLDERS.find((candidate) => existsSync(candidate))
  for (const { path, file, policy } of pages) {
    const page = folder && readFileSync(join(folder, file))
    for (const url of [path, `${path}/`]) {
      app.get(url, async (_, reply) => {
        if (!page) return await sendPlainPage(reply, NOT_BUILT)
        return await reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(page)
      })
    }
  }
  if (!folder) return
  await app.register(fastifyStatic, {
    root: join(folder, 'assets'),
    prefix: '/explorers/assets/',
    decorateReply: false,
    preCompressed: true,
    cacheControl: false,
    // The names of assets change with what is in them.
    setHeaders: (reply) => void reply.header('cache-control', 'public, max-age=31536000, immutable')
  })
}
