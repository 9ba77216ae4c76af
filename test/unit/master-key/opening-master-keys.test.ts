import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from '../../../src/log.js'
import { leavesTheMachineInTheClear } from '../../../src/master-key/provider.js'
import { configureMasterKeys, problemOfMasterKeyUri } from '../../../src/master-key/providers.js'
import { rejectionOf } from '../failures.js'

interface Asked {
  url: string
  headers: Record<string, unknown>
  body: Record<string, unknown>
}

let server: Server
let address: string
let asked: Asked[]
beforeEach(async () => {
  asked = []
  server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const body = text === '' ? {} : JSON.parse(text)
    asked.push({ url: request.url ?? '', headers: request.headers, body })
    response.end(JSON.stringify(answerTo(request.url ?? '')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const ARN = 'arn:aws:kms:eu-central-1:123456789012:key/ea440e7f-7205-4a0c-b7c8-82795739ee99'

function answerTo(url: string): object {
  if (url === '/') return { KeyMetadata: { Arn: ARN, KeyId: 'a', KeySpec: 'SYMMETRIC_DEFAULT' } }
  if (url.endsWith('/login')) return { auth: { client_token: 'given', lease_duration: 0, renewable: false } }
  if (url.endsWith('lookup-self')) return { data: { ttl: 0, renewable: false } }
  return { data: { type: 'aes256-gcm96', latest_version: 4 } }
}

async function open(uri: string, variables: NodeJS.ProcessEnv) {
  const problems: string[] = []
  const configured = configureMasterKeys([uri], { variables, production: false }, problems)
  expect(problems).toEqual([])
  const developmentSecret = async () => Buffer.alloc(32).toString('base64')
  return await configured(uri, { log: createLogger('silent'), timeoutMs: 5000, developmentSecret })
}

describe('a Transit key, opened as it is configured', () => {
  it.each<[string, NodeJS.ProcessEnv, string, object]>([
    ['by AppRole', { VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's' }, 'approle', { role_id: 'r', secret_id: 's' }],
    [
      'by AppRole at another mount',
      { VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 's', VAULT_APPROLE_MOUNT: 'team/x' },
      'team/x',
      { role_id: 'r', secret_id: 's' }
    ],
    ['by Kubernetes', { VAULT_K8S_ROLE: 'k', VAULT_K8S_TOKEN_FILE: '/dev/null' }, 'kubernetes', { role: 'k', jwt: '' }]
  ])('logs in %s', async (_, variables, mount, credentials) => {
    const key = await open('vault:team/transit/conclave', { VAULT_ADDR: address, ...variables })
    expect(key.uri).toBe('vault:team/transit/conclave')
    expect(await key.version()).toBe('v4')
    await key.close()
    expect(asked).toMatchObject([
      { url: `/v1/auth/${mount}/login`, body: credentials },
      { url: '/v1/team/transit/keys/conclave', headers: { 'x-vault-token': 'given' } }
    ])
  })

  it('has its token and its namespace', async () => {
    const variables = { VAULT_ADDR: address, VAULT_TOKEN: 't0ken', VAULT_NAMESPACE: 'team' }
    const key = await open('vault:transit/conclave', variables)
    await key.version()
    await key.close()
    for (const { headers } of asked)
      expect(headers).toMatchObject({ 'x-vault-token': 't0ken', 'x-vault-namespace': 'team' })
    expect(asked.map(({ url }) => url)).toEqual(['/v1/auth/token/lookup-self', '/v1/transit/keys/conclave'])
  })
})

describe('a key of AWS KMS, opened as it is configured', () => {
  it('is asked for in its region, at its endpoint', async () => {
    const before = { ...process.env }
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' })
    try {
      const key = await open('aws-kms:alias/conclave', { AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL_KMS: address })
      expect(await key.version()).toBe(ARN)
      await key.close()
    } finally {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
        if (before[name] === undefined) delete process.env[name]
        else process.env[name] = before[name]
      }
    }
    expect(asked).toMatchObject([{ url: '/', body: { KeyId: 'alias/conclave' } }])
    expect(String(asked[0]?.headers.authorization)).toContain('/eu-central-1/kms/aws4_request')
  })

  it.each([
    { AWS_REGION: 'eu-central-1 ' },
    { AWS_REGION: 'EU' },
    { AWS_REGION: '../eu' },
    { AWS_KMS_REQUESTS_PER_SECOND: '0' },
    { AWS_KMS_REQUESTS_PER_SECOND: '-1' },
    { AWS_KMS_REQUESTS_PER_SECOND: '100000' },
    { AWS_KMS_REQUESTS_PER_SECOND: '10x' },
    { AWS_KMS_REQUESTS_PER_SECOND: '1xxx' },
    { AWS_KMS_REQUESTS_PER_SECOND: 'x10' },
    { AWS_ENDPOINT_URL_KMS: 'ftp://kms' }
  ])('is not opened with %j', async (variables) => {
    const problems: string[] = []
    const uri = 'aws-kms:alias/conclave'
    const configured = configureMasterKeys([uri], { variables, production: false }, problems)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(Object.keys(variables)[0])
    const context = {} as Parameters<typeof configured>[1]
    expect((await rejectionOf(configured(uri, context))).message).toBe('this kind of master key is not configured')
  })

  it.each(['1', '99999'])('may be asked %s times a second', (AWS_KMS_REQUESTS_PER_SECOND) => {
    const problems: string[] = []
    configureMasterKeys(['aws-kms:a'], { variables: { AWS_KMS_REQUESTS_PER_SECOND }, production: true }, problems)
    expect(problems).toEqual([])
  })
})

describe('the address of a key service in production', () => {
  it.each([
    'http://vault',
    'http://localhost.example.org',
    'http://mylocalhost',
    'http://my.127.0.0.1.example.org',
    'http://10.0.0.1',
    'http://[::2]',
    'http://[2001::1]'
  ])('leaves the machine in the clear when it is %s', (url) => {
    expect(leavesTheMachineInTheClear(url)).toBe(true)
  })

  it.each([
    'https://vault',
    'http://localhost:8200',
    'http://127.0.0.1',
    'http://127.12.34.56:1',
    'http://[::1]:8200',
    '',
    'vault'
  ])('does not when it is %j', (url) => {
    expect(leavesTheMachineInTheClear(url)).toBe(false)
  })
})

describe('what refuses a URI', () => {
  it('says all forms there are', () => {
    expect(problemOfMasterKeyUri('mistyped')).toBe(
      'must be local:<id>, the id of letters, digits and ". _ -", or vault:<mount>/<key>, or aws-kms:<key id, alias/<name> or ARN>'
    )
  })
})
