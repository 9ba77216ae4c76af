import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardQueues,
  IServerAdapter,
  UIConfig
} from '@bull-board/api/dist/types.js'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { digestSource, pagePolicy } from '../http-hardening.js'
import { escapeHtml } from '../plain-page.js'
import { changesSomething } from './board-access.js'

/** A queue that is out of reach would be waited for without an end; in five seconds everybody has an answer. */
const ANSWER_MS = 3_000

/** The one style that the board's scripts put into the page (Base UI, for lists that scroll without a bar). */
const SCROLLBAR_STYLE =
  '.base-ui-disable-scrollbar{scrollbar-width:none}.base-ui-disable-scrollbar::-webkit-scrollbar{display:none}'

/** The board's page names its own folder as the base of its addresses. */
const POLICY = pagePolicy({ baseUri: ["'self'"], styleSrc: ["'self'", digestSource(SCROLLBAR_STYLE)] })

const UNAVAILABLE = { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' }, message: 'The job queue is out of reach.' }
const READ_ONLY = { error: { key: 'ERRORS.QUEUE_READ_ONLY' }, message: 'JOB_BOARD is read-only.' }

export interface BoardOptions {
  /** Where the board is, without a slash at its end. */
  basePath: string
  readOnly: boolean
  /** Fills the board with its queues, as late as it can be. */
  prepare: () => void
  onFailure: (error: unknown) => void
}

/**
 * What Bull Board calls a server adapter: it is told the board's routes, and serves them with Fastify. Bull Board's own
 * one makes code from a template's text, and its page takes fonts from another site.
 */
export class BoardRoutes implements IServerAdapter {
  #queues: BullBoardQueues = new Map()
  #pages: AppViewRoute | null = null
  #api: AppControllerRoute[] = []
  #views = ''
  #statics = { route: '', folder: '' }
  #uiConfig: UIConfig = {}

  setQueues(queues: BullBoardQueues): this {
    this.#queues = queues
    return this
  }

  setViewsPath(folder: string): this {
    this.#views = folder
    return this
  }

  setStaticPath(route: string, folder: string): this {
    this.#statics = { route, folder }
    return this
  }

  setEntryRoute(route: AppViewRoute): this {
    this.#pages = route
    return this
  }

  /** Errors of queues go to the log: what they say is not for a page. */
  setErrorHandler(): this {
    return this
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    this.#api = routes
    return this
  }

  setUIConfig(config: UIConfig): this {
    this.#uiConfig = config
    return this
  }

  /** @param scope of {@link BoardOptions.basePath}; who may see the board was checked before its routes are come to */
  async register(scope: FastifyInstance, options: BoardOptions): Promise<void> {
    const { folder: root, route: prefix } = this.#statics
    await scope.register(fastifyStatic, {
      root,
      prefix,
      decorateReply: false,
      cacheControl: false,
      setHeaders: keepAnHour
    })
    const page = pageOf(readFileSync(join(this.#views, 'index.ejs'), 'utf8'), options.basePath, this.#uiConfig)
    for (const url of [this.#pages?.route ?? []].flat()) {
      scope.get(url, async (_, reply) =>
        reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(page)
      )
    }
    for (const { method, route, handler } of this.#api) {
      const methods = [method].flat().map((name) => name.toUpperCase() as HTTPMethods)
      for (const url of [route].flat()) {
        scope.route({
          method: methods,
          url,
          handler: (request, reply) => this.#answer(handler, options, request, reply)
        })
      }
    }
  }

  async #answer(
    handler: AppControllerRoute['handler'],
    { readOnly, prepare, onFailure }: BoardOptions,
    request: FastifyRequest,
    reply: FastifyReply
  ): Promise<FastifyReply> {
    if (readOnly && changesSomething(request)) return await reply.code(405).send(READ_ONLY)
    try {
      prepare()
      const { query, params, body } = request as { query: object; params: object; body: object }
      const asked = { queues: this.#queues, uiConfig: this.#uiConfig, query, params, body, headers: {} }
      const answer = await inTime(handler(asked))
      return await reply.code(answer.status ?? 200).send(answer.body)
    } catch (error) {
      onFailure(error)
      return await reply.code(503).send(UNAVAILABLE)
    }
  }
}

/** In the browser of whoever may see it, and in no cache on the way. */
function keepAnHour(reply: FastifyReply): void {
  reply.header('cache-control', 'private, max-age=3600')
}

/** The board's own page, with the scripts and styles that its template names. */
function pageOf(template: string, basePath: string, config: UIConfig): string {
  const styles = template.match(/<link href="static\/[^"]+" rel="stylesheet">/g) ?? []
  const scripts = template.match(/<script defer src="static\/[^"]+"><\/script>/g) ?? []
  const json = JSON.stringify(config).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<base href="${escapeHtml(basePath)}/">
<title>${escapeHtml(config.boardTitle ?? '')}</title>
<link rel="icon" type="image/svg+xml" href="${escapeHtml(config.favIcon?.default ?? '')}">
${styles.join('\n')}
</head>
<body class="preload">
<script id="__UI_CONFIG__" type="application/json">${json}</script>
<div id="root"></div>
${scripts.join('\n')}
</body>
</html>
`
}

async function inTime<T>(work: T | Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
