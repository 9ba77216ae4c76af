import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateDueKeysDocument } from '../../documents/generated.js'
import { QUEUE_NAMES } from '../../jobs/queue.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { hasRedis, RedisServer } from '../support/redis.js'
import { placeOf, startReadyWorker } from '../support/worker-run.js'

const HOURS_13_MS = 13 * 60 * 60 * 1000
const ADMIN = { scopes: ['keys:admin'] }
const HTML = { accept: 'text/html' }

interface Asked {
  method?: string
  cookie?: string
  headers?: Record<string, string>
  body?: string
}

/** As a browser does that shows a page of the server itself, unless `headers` say otherwise. */
async function ask({ url }: TestConclave, path: string, { method = 'GET', cookie, headers, body }: Asked = {}) {
  const all = { ...(method !== 'GET' && { origin: url }), ...(cookie && { cookie }), ...headers }
  return await fetch(url + path, { method, headers: all, redirect: 'manual', ...(body !== undefined && { body }) })
}

async function signIn(conclave: TestConclave, token: string, headers: Record<string, string> = {}) {
  return await ask(conclave, '/jobs/sign-in', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...HTML, ...headers },
    body: new URLSearchParams({ token }).toString()
  })
}

/** The cookie of an administrator. */
async function signedIn(conclave: TestConclave): Promise<string> {
  const response = await signIn(conclave, await conclave.token('admin', ADMIN))
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

describe('the job board', () => {
  let conclave: TestConclave

  beforeAll(async () => {
    conclave = await bootConclave()
  })
  afterAll(() => conclave.close())

  it.each(['/jobs', '/jobs/', '/jobs/session'])('asks whoever comes to %s without a token for one', async (path) => {
    const response = await ask(conclave, path, { headers: HTML })
    expect(response.status).toBe(401)
    expect(response.headers.get('content-security-policy')).toMatch(/script-src 'none'.*form-action 'self'/)
    expect(await response.text()).toContain('<form method="post" action="/jobs/sign-in">')
  })

  it('tells a program without a token in the form that it reads', async () => {
    const response = await ask(conclave, '/jobs/')
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
  })

  it.each([
    ['that is none', 401, async () => 'none'],
    ['that is empty', 401, async () => ''],
    ['without a scope', 403, () => conclave.token('alice')],
    ['with another scope', 403, () => conclave.token('alice', { scopes: ['keys:read'] })],
    [
      'that no browser would keep',
      400,
      () => conclave.token('a', { name: 'n'.repeat(250), scopes: [...ADMIN.scopes, 's'.repeat(4000)] })
    ]
  ])('takes no token %s', async (_, status, token) => {
    const response = await signIn(conclave, await token())
    expect(response.status).toBe(status)
    expect(response.headers.getSetCookie()).toEqual([])
    expect(await response.text()).toContain('role="alert"')
  })

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this host', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['no origin', { origin: 'null' }]
  ])('lets no page of %s sign anybody in', async (_, headers) => {
    const response = await signIn(conclave, await conclave.token('admin', ADMIN), headers)
    expect(response.status).toBe(403)
    expect(response.headers.getSetCookie()).toEqual([])
  })

  it('gives the token to the browser in a cookie that is for /jobs, for no script, and for no other site', async () => {
    const token = await conclave.token('admin', ADMIN)
    const response = await signIn(conclave, token)
    expect([response.status, response.headers.get('location')]).toEqual([303, '/jobs/'])
    const [cookie = ''] = response.headers.getSetCookie()
    const [value, ...attributes] = cookie.split('; ')
    expect(value).toBe(`conclave-jobs=${token}`)
    expect(attributes).toEqual(expect.arrayContaining(['Path=/jobs', 'HttpOnly', 'SameSite=Strict']))
    expect(attributes.find((attribute) => attribute.startsWith('Expires='))).toBeDefined()
    expect(attributes).not.toContain('Secure')
  })

  it('says what is missing where jobs run over PostgreSQL', async () => {
    const response = await ask(conclave, '/jobs/', { cookie: await signedIn(conclave) })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('REDIS_URL')
  })

  it('takes the token of a program in its header', async () => {
    const authorization = `Bearer ${await conclave.token('admin', ADMIN)}`
    expect((await ask(conclave, '/jobs/session', { headers: { authorization } })).status).toBe(200)
  })

  it('writes a name into its page as text', async () => {
    const authorization = `Bearer ${await conclave.token('mallory', { name: '<script>alert(1)</script>', ...ADMIN })}`
    const page = await (await ask(conclave, '/jobs/session', { headers: { authorization } })).text()
    expect(page).toContain('Signed in as &lt;script&gt;')
  })

  it('forgets the token of whoever signs out', async () => {
    const response = await ask(conclave, '/jobs/sign-out', { method: 'POST', cookie: await signedIn(conclave) })
    expect(response.headers.getSetCookie()[0]).toMatch(/^conclave-jobs=; .*Expires=Thu, 01 Jan 1970/)
  })

  it('refuses a token that has expired since, though the browser still sends it', async () => {
    const cookie = await signedIn(conclave)
    expect((await ask(conclave, '/jobs/session', { cookie })).status).toBe(200)
    conclave.clock.advance(HOURS_13_MS)
    expect((await ask(conclave, '/jobs/session', { cookie })).status).toBe(401)
  })

  it('leaves forms elsewhere unread', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await ask(conclave, '/graphql', { method: 'POST', headers, body: 'query={viewer{id}}' })
    expect(response.status).toBe(415)
  })
})

describe('the job board in production', () => {
  it('sends the cookie over TLS only', async () => {
    const conclave = await bootConclave({}, { NODE_ENV: 'production' })
    const response = await signIn(conclave, await conclave.token('admin', ADMIN))
    expect(response.headers.getSetCookie()[0]?.split('; ')).toContain('Secure')
    await conclave.close()
  })

  it('is not there where it was switched off', async () => {
    const conclave = await bootConclave({}, { JOB_BOARD: 'off' })
    expect((await ask(conclave, '/jobs')).status).toBe(404)
    expect((await signIn(conclave, await conclave.token('admin', ADMIN))).status).toBe(404)
    await conclave.close()
  })
})

describe.runIf(hasRedis)('the job board on Redis', () => {
  let redis: RedisServer
  let conclave: TestConclave
  let cookie: string

  beforeAll(async () => {
    redis = await RedisServer.start()
    conclave = await bootConclave({ redisUrl: redis.url })
    // It leaves the schedule in the queue.
    await (await startReadyWorker(conclave, placeOf(conclave, redis.url))).close()
    cookie = await signedIn(conclave)
  })
  afterAll(async () => {
    await conclave.close()
    await redis.stop()
  })

  interface Queues {
    queues: { name: string; readOnlyMode: boolean; isPaused: boolean; counts: object; jobs: { data: object }[] }[]
  }
  const queues = async (active = '') => {
    const response = await ask(conclave, `/jobs/api/queues?activeQueue=${active}&page=1&jobsPerPage=10`, { cookie })
    expect(response.status).toBe(200)
    return ((await response.json()) as Queues).queues
  }
  const pause = async (headers: Record<string, string> = {}) =>
    await ask(conclave, `/jobs/api/queues/${QUEUE_NAMES[0]}/pause`, { method: 'PUT', cookie, headers })

  it.each(['/jobs/', '/jobs/api/queues', '/jobs/static/images/logo.svg', `/jobs/queue/${QUEUE_NAMES[0]}`])(
    'shows nothing of %s to anybody else',
    async (path) => {
      expect((await ask(conclave, path)).status).toBe(401)
      expect((await ask(conclave, path, { cookie: 'conclave-jobs=none' })).status).toBe(401)
      const authorization = `Bearer ${await conclave.token('alice', { scopes: ['keys:read'] })}`
      expect((await ask(conclave, path, { headers: { authorization } })).status).toBe(403)
      expect((await ask(conclave, path, { cookie })).status).toBe(200)
    }
  )

  it('is a page that loads what is this server’s own, and nothing else', async () => {
    const response = await ask(conclave, '/jobs/', { cookie })
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).not.toMatch(/http|unsafe-eval/)
    expect(policy).toContain("script-src 'self'")
    const page = await response.text()
    expect(page).not.toMatch(/(src|href)="https?:/)
    const scripts = [...page.matchAll(/src="([^"]+)"/g)].map(([, path]) => `/jobs/${path}`)
    expect(scripts.length).toBeGreaterThan(1)
    for (const path of scripts) expect((await ask(conclave, path, { cookie })).status).toBe(200)
  })

  it('shows both queues, and of a job the id of its operation and no more', async () => {
    const admin = await conclave.as('admin', ADMIN)
    const { rotateDueKeys } = await admin.run(RotateDueKeysDocument)
    expect((await queues()).map(({ name }) => name)).toEqual([...QUEUE_NAMES])
    const operations = (await queues(QUEUE_NAMES[1])).find(({ name }) => name === QUEUE_NAMES[1])
    expect(operations?.jobs.map(({ data }) => data)).toEqual([{ id: rotateDueKeys.operation.id }])
  })

  it('changes nothing, as long as it was not configured to', async () => {
    expect((await pause()).status).toBe(405)
    const [first] = await queues()
    expect(first).toMatchObject({ isPaused: false, readOnlyMode: true })
  })

  it('changes what an administrator says where it was configured to, and not what a page of somebody else says', async () => {
    await conclave.restart({ jobBoard: 'writable' })
    expect((await pause({ 'sec-fetch-site': 'same-site' })).status).toBe(403)
    expect((await pause({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await queues())[0]).toMatchObject({ isPaused: false, readOnlyMode: false })
    expect((await pause()).status).toBe(200)
    expect((await queues())[0]).toMatchObject({ isPaused: true })
    expect(conclave.logged()).toMatch(/"actor":"admin".*somebody changes the job queue by the board/)
  })

  it('says so in seconds when the queue is out of reach, and nothing of where it is', async () => {
    await redis.kill()
    const response = await ask(conclave, '/jobs/api/queues?page=1&jobsPerPage=10', { cookie })
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain(String(redis.port))
    await redis.start()
  })
})
