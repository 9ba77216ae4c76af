import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * In the place of Vault and of AWS KMS: refuses what it is asked in the request's own words, credentials included. Of Vault it
 * takes any token, and has a Transit key; it takes no other login.
 */
export async function startEchoingServices(): Promise<{
  url: string
  /** Everything that came with a request. */
  heard(): string
  close(): Promise<void>
}> {
  let heard = ''
  const server = createServer((request, response) => {
    void wordsOf(request).then((words) => {
      heard += `${words}\n`
      const [status, answer] = answerTo(request, words)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: () => heard,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

async function wordsOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return `${request.url} ${JSON.stringify(request.headers)} ${body}`
}

function answerTo({ url, headers }: IncomingMessage, words: string): [status: number, answer: object] {
  if (headers['x-amz-target']) return [400, { __type: 'AccessDeniedException', message: `refused: ${words}` }]
  if (url?.endsWith('lookup-self')) return [200, { data: { ttl: 3600, renewable: false } }]
  if (url?.includes('/keys/')) return [200, { data: { type: 'aes256-gcm96', derived: false, latest_version: 1 } }]
  return [400, { errors: [`refused: ${words}`] }]
}
