import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DescribeKeyCommand } from '@aws-sdk/client-kms'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KmsCalls, type KmsConnection } from '../../../../src/master-key/aws-kms/kms-calls.js'
import type { CallOptions } from '../../../../src/master-key/master-key.js'
import { rejectionOf } from '../../failures.js'

let server: Server
let asked: string[]
let answering: PromiseWithResolvers<void>
let statuses: number[]
let calls: KmsCalls[]

beforeEach(async () => {
  asked = []
  calls = []
  statuses = []
  answering = Promise.withResolvers()
  answering.resolve()
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    asked.push(JSON.parse(body).KeyId)
    await answering.promise
    const status = statuses.shift() ?? 200
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(status === 200 ? '{"KeyMetadata":{"KeyId":"a"}}' : '{"__type":"InternalException"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  answering.resolve()
  for (const made of calls) await made.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function open(options: Partial<KmsConnection> = {}): KmsCalls {
  const made = new KmsCalls({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestsPerSecond: 1000,
    timeoutMs: 5000,
    ...options
  })
  calls.push(made)
  return made
}

async function describeKey(from: KmsCalls, name: string, options: CallOptions = {}): Promise<unknown> {
  const command = new DescribeKeyCommand({ KeyId: name })
  return await from.run((client, sending) => client.send(command, sending), options)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

describe('requests to KMS', () => {
  it('reach the endpoint, and give its answer', async () => {
    expect(await describeKey(open(), 'a')).toMatchObject({ KeyMetadata: { KeyId: 'a' } })
    expect(asked).toEqual(['a'])
  })

  it('are repeated twice where the service fails in passing', async () => {
    statuses = [500, 500]
    await describeKey(open(), 'a')
    expect(asked).toHaveLength(3)
    statuses = [500, 500, 500]
    expect(await rejectionOf(describeKey(open(), 'a'))).toMatchObject({ $metadata: { httpStatusCode: 500 } })
    expect(asked).toHaveLength(6)
  })

  it('are sixteen at once, and of those that wait whoever somebody waits for goes first', async () => {
    answering = Promise.withResolvers()
    const kms = open()
    const first = Array.from({ length: 16 }, (_, index) => describeKey(kms, `first${index}`))
    await until(() => asked.length === 16)
    const later = [
      describeKey(kms, 'background', { background: true }),
      describeKey(kms, 'asked for'),
      describeKey(kms, 'asked for too', { background: false })
    ]
    expect(asked).toHaveLength(16)
    answering.resolve()
    await Promise.all([...first, ...later])
    expect(asked.slice(16).indexOf('background')).toBe(2)
  })

  it('are no more than so many in any second', async () => {
    const kms = open({ requestsPerSecond: 3 })
    const begun = performance.now()
    const times: number[] = []
    await Promise.all(
      Array.from({ length: 5 }, async (_, index) => {
        await describeKey(kms, String(index))
        times.push(performance.now() - begun)
      })
    )
    // The fourth has to wait until the first is a second ago; timers may be a little early.
    expect(times.toSorted((a, b) => a - b)[3]).toBeGreaterThan(900)
  })

  it('are given up by whoever asked, also while they wait for their turn', async () => {
    answering = Promise.withResolvers()
    const kms = open()
    const first = Array.from({ length: 16 }, (_, index) => describeKey(kms, `first${index}`))
    await until(() => asked.length === 16)
    const asking = new AbortController()
    const failure = rejectionOf(describeKey(kms, 'given up', { signal: asking.signal }))
    asking.abort()
    expect((await failure).name).toBe('AbortError')
    answering.resolve()
    await Promise.all(first)
    expect(asked).not.toContain('given up')
  })

  it('without an answer in time fail', async () => {
    answering = Promise.withResolvers()
    expect((await rejectionOf(describeKey(open({ timeoutMs: 50 }), 'a'))).name).toBe('TimeoutError')
  })
})
