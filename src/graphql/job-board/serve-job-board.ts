import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import fastifyCookie from '@fastify/cookie'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { ConclaveError, Forbidden } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Services } from '../../services.js'
import { escapeHtml, sendPlainPage } from '../plain-page.js'
import {
  BOARD,
  type BoardCookie,
  changesSomething,
  isOwnRequest,
  requireKeyAdmin,
  signedOut,
  signIn
} from './board-access.js'
import { BoardRoutes } from './board-routes.js'

const FORM_BYTES = 16 * 1024
const TITLE = 'Conclave: jobs'
const FOREIGN = 'This can be asked for by a page of this server only.'

/** Bull Board at `/jobs`, for whoever has a token with the scope `keys:admin`. */
export async function serveJobBoard(app: FastifyInstance, services: Services): Promise<void> {
  if (services.config.jobBoard === 'off') return
  const board: FastifyPluginAsync = async (scope) => {
    await scope.register(fastifyCookie)
    const form = { parseAs: 'string', bodyLimit: FORM_BYTES } as const
    scope.addContentTypeParser('application/x-www-form-urlencoded', form, async (_: FastifyRequest, body: string) =>
      Object.fromEntries(new URLSearchParams(body))
    )
    scope.addHook('onRequest', async (request, reply) => {
      if (!isOwnRequest(request)) await refuse(request, reply, new Forbidden(FOREIGN))
    })
    serveSigningIn(scope, services)
    await scope.register(forAdministrators(services))
  }
  await app.register(board, { prefix: BOARD })
}

function serveSigningIn(scope: FastifyInstance, services: Services): void {
  scope.post<{ Body: { token?: unknown } | null }>('/sign-in', async (request, reply) => {
    try {
      return await enter(reply, await signIn(services, request, String(request.body?.token ?? '').trim()))
    } catch (error) {
      return await refuse(request, reply, error)
    }
  })
  scope.post('/sign-out', async (request, reply) => await enter(reply, signedOut(services, request)))
}

/** Everything that nobody else may see. */
function forAdministrators(services: Services): FastifyPluginAsync {
  const { config, log } = services
  return async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      try {
        const { id } = await requireKeyAdmin(services, request)
        if (config.jobBoard === 'writable' && changesSomething(request)) logChange(log, id, request)
      } catch (error) {
        await refuse(request, reply, error)
      }
    })
    scope.get('/session', async (request, reply) => {
      const { name, expiresAt } = await requireKeyAdmin(services, request)
      const until = expiresAt ? `until ${expiresAt.toISOString()}` : 'without an end'
      const body = `<p>Signed in as ${escapeHtml(name)}, ${until}. The board is ${config.jobBoard}.</p>
<form method="post" action="${BOARD}/sign-out"><button>Sign out</button></form>
<p><a href="${BOARD}/">Back to the jobs</a></p>`
      return await sendPlainPage(reply, { title: TITLE, body })
    })
    if (services.watchedQueues.isInRedis) await serveQueues(scope, services)
    else scope.get('/', async (_, reply) => await sendPlainPage(reply, { title: TITLE, body: WITHOUT_REDIS }))
  }
}

const WITHOUT_REDIS = `<p>Here jobs run over PostgreSQL, and Bull Board shows queues in Redis: the API has no right to look into the
queue's tables. For the board, start the API and the workers with <code>REDIS_URL</code>.</p>
<p>What the jobs do stands in the database in any case, and is shown over GraphQL: <code>keyOperations</code> with their
progress, <code>keyHealth</code> with what is overdue, and <code>keyEvents</code>.</p>
<p><a href="${BOARD}/session">Session</a></p>`

async function serveQueues(scope: FastifyInstance, services: Services): Promise<void> {
  const { watchedQueues, config, log } = services
  const readOnly = config.jobBoard === 'read-only'
  const routes = new BoardRoutes()
  const board = createBullBoard({
    queues: [],
    serverAdapter: routes,
    options: {
      // It would look for it by code from text.
      uiBasePath: dirname(createRequire(import.meta.url).resolve('@bull-board/ui/package.json')),
      uiConfig: {
        boardTitle: TITLE,
        hideDocsLink: true,
        // What Redis says of itself is not about jobs, and its picture has a style of its own that the policy forbids.
        hideRedisDetails: true,
        miscLinks: [{ text: 'Session', url: `${BOARD}/session` }]
      }
    }
  })
  let isPrepared = false
  await routes.register(scope, {
    basePath: BOARD,
    readOnly,
    prepare() {
      if (isPrepared) return
      isPrepared = true
      board.setQueues(watchedQueues.open().map((queue) => new BullMQAdapter(queue, { readOnlyMode: readOnly })))
    },
    onFailure: (error) => log.warn({ reason: error }, 'the job board has no answer')
  })
}

function logChange(log: Logger, actor: string, { method, routeOptions: { url }, params }: FastifyRequest): void {
  log.warn({ actor, method, route: url, params }, 'somebody changes the job queue by the board')
}

/** After a form: the board, with a request that nothing of the form goes with. */
async function enter(reply: FastifyReply, { name, value, options }: BoardCookie): Promise<FastifyReply> {
  return await reply.setCookie(name, value, options).redirect(`${BOARD}/`, 303)
}

/** Asks a browser for a token; tells a program what is wrong. @throws what is nobody's fault here */
async function refuse(request: FastifyRequest, reply: FastifyReply, error: unknown): Promise<FastifyReply> {
  if (!(error instanceof ConclaveError)) throw error
  const { message, code } = error
  const status = code === 'UNAUTHENTICATED' ? 401 : code === 'FORBIDDEN' ? 403 : 400
  if (!request.headers.accept?.includes('text/html')) {
    return await reply.code(status).send({ errors: [{ message, extensions: { code } }] })
  }
  const body = `<p role="alert">${escapeHtml(message)}</p>
<form method="post" action="${BOARD}/sign-in">
<label>Token with the scope <code>keys:admin</code> <input type="password" name="token" autocomplete="off" required></label>
<button>Sign in</button>
</form>`
  return await sendPlainPage(reply, { status, title: TITLE, body })
}
