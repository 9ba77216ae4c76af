import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { VaultHttp } from '../../../../src/master-key/vault/vault-http.js'
import { rejectionOf } from '../../failures.js'

let server: Server
let asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]
let answer: { status: number; text: string } | 'silence' | 'hang up'
let opened: VaultHttp[]

beforeEach(async () => {
  asked = []
  opened = []
  answer = { status: 200, text: '{}' }
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    if (answer === 'hang up') request.socket.destroy()
    else if (answer !== 'silence') response.writeHead(answer.status).end(answer.text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  for (const http of opened) await http.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function open({ path = '', namespace = null as string | null, timeoutMs = 5000 } = {}): VaultHttp {
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
  const http = new VaultHttp({ url, namespace, ca: null, timeoutMs })
  opened.push(http)
  return http
}

const GET = { method: 'GET', path: 'transit/keys/conclave', token: null } as const

describe('a request to Vault', () => {
  it.each([307, 308, 412, 429, 472, 473, 500, 501, 502, 503, 599])(
    'that is answered %d is UNREACHABLE: it passes',
    async (status) => {
      answer = { status, text: '{"errors":["a secret"]}' }
      expect(await rejectionOf(open().send('vault:a/b', GET))).toMatchObject({
        kind: 'UNREACHABLE',
        message: `master key vault:a/b: answered ${status}`
      })
    }
  )

  it.each([200, 204, 400, 403, 404, 405, 411, 413, 428, 430, 471, 474, 499])(
    'that is answered %d has its answer',
    async (status) => {
      answer = { status, text: status === 204 ? '' : '{"data":1}' }
      expect(await open().send('vault:a/b', GET)).toEqual({ status, body: status === 204 ? null : { data: 1 } })
    }
  )

  it('that is answered by a page of a proxy has no body', async () => {
    answer = { status: 404, text: '<html>' }
    expect(await open().send('vault:a/b', GET)).toEqual({ status: 404, body: null })
  })

  it('has the path below /v1, and what Vault wants to know in its headers', async () => {
    await open().send('vault:a/b', GET)
    await open({ path: '/proxy/', namespace: 'team' }).send('vault:a/b', {
      method: 'POST',
      path: 'auth/token/renew-self',
      token: 't0ken',
      body: { increment: 1 }
    })
    expect(asked).toMatchObject([
      { method: 'GET', url: '/v1/transit/keys/conclave', body: '', headers: { 'x-vault-request': 'true' } },
      {
        method: 'POST',
        url: '/proxy/v1/auth/token/renew-self',
        body: '{"increment":1}',
        headers: {
          'content-type': 'application/json',
          'x-vault-request': 'true',
          'x-vault-token': 't0ken',
          'x-vault-namespace': 'team'
        }
      }
    ])
    expect(asked[0]?.headers).not.toHaveProperty('x-vault-token')
    expect(asked[0]?.headers).not.toHaveProperty('x-vault-namespace')
  })

  it('leaves zeros where the bytes of its answer were', async () => {
    const lent: Buffer[] = []
    const toText = Buffer.prototype.toString
    const spy = vi.spyOn(Buffer.prototype, 'toString').mockImplementation(function (this: Buffer, ...args) {
      const text = toText.apply(this, args)
      if (text.includes('a private key')) lent.push(this)
      return text
    })
    answer = { status: 200, text: '{"plaintext":"a private key"}' }
    const { body } = await open().send('vault:a/b', GET)
    spy.mockRestore()
    expect(body).toEqual({ plaintext: 'a private key' })
    expect(lent.length).toBeGreaterThan(0)
    expect(lent.at(-1)?.every((byte) => byte === 0)).toBe(true)
  })

  it('without an answer in time is UNREACHABLE', async () => {
    answer = 'silence'
    expect(await rejectionOf(open({ timeoutMs: 50 }).send('vault:a/b', GET))).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key vault:a/b: no answer in time'
    })
  })

  it('that is cut or refused is UNREACHABLE, with the code and no address', async () => {
    answer = 'hang up'
    expect(await rejectionOf(open().send('vault:a/b', GET))).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key vault:a/b: no answer (UND_ERR_SOCKET)'
    })
    const http = open()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(await rejectionOf(http.send('vault:a/b', GET))).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key vault:a/b: no answer (ECONNREFUSED)'
    })
    server.listen(0, '127.0.0.1')
  })

  it('is given up by whoever asked', async () => {
    answer = 'silence'
    const asking = new AbortController()
    const failure = rejectionOf(open().send('vault:a/b', { ...GET, signal: asking.signal }))
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    asking.abort()
    expect(await failure).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key vault:a/b: no answer (AbortError)'
    })
  })

  it('is not sent any more once the connection was closed', async () => {
    const http = open()
    await http.close()
    expect(await rejectionOf(http.send('vault:a/b', GET))).toMatchObject({ kind: 'UNREACHABLE' })
    expect(asked).toEqual([])
  })
})
