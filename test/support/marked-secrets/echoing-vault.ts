import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** In the place of Vault: takes any token, has a Transit key, and refuses all that is done with it in the request's own words. */
export async function startEchoingVault(): Promise<{ url: string; asked: () => number; close(): Promise<void> }> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    void answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ''
  for await (const chunk of request) body += chunk
  const send = (status: number, answered: object) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answered))
  }
  if (request.url?.endsWith('lookup-self')) return send(200, { data: { ttl: 3600, renewable: false } })
  if (request.url?.includes('/keys/'))
    return send(200, { data: { type: 'aes256-gcm96', derived: false, latest_version: 1 } })
  send(400, { errors: [`refused: ${request.headers['x-vault-token']} ${body}`] })
}
