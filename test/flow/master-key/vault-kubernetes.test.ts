import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasOpenBao, OpenBao } from '../../support/providers/openbao.js'
import { openVaultKey } from '../../support/providers/vault-key.js'
import { rejectionOf } from '../../unit/failures.js'

const GOOD = { namespace: 'chat', name: 'conclave' }

// OpenBao and its Kubernetes login are real. The TokenReview API that it asks is an imitation: there is no cluster here.
describe.skipIf(!hasOpenBao)('a Transit key with a login by Kubernetes', () => {
  let bao: OpenBao
  let cluster: Server
  let folder: string
  let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
  beforeAll(async () => {
    privateKey = (await generateKeyPair('RS256')).privateKey
    folder = mkdtempSync(join(tmpdir(), 'conclave-kubernetes-'))
    cluster = await startTokenReview()
    bao = await OpenBao.start()
    await bao.makeTransitKey('transit', 'conclave')
    await bao.makePolicy('conclave', 'transit', 'conclave')
    await bao.api('POST', 'sys/auth/clusters/one', { type: 'kubernetes' })
    await bao.api('POST', 'auth/clusters/one/config', {
      kubernetes_host: `http://127.0.0.1:${(cluster.address() as { port: number }).port}`,
      token_reviewer_jwt: await serviceAccountToken({ namespace: 'bao', name: 'reviewer' }),
      disable_local_ca_jwt: true,
      kubernetes_ca_cert: await anyAuthority()
    })
    await bao.api('POST', 'auth/clusters/one/role/conclave', {
      bound_service_account_names: [GOOD.name],
      bound_service_account_namespaces: [GOOD.namespace],
      token_policies: ['conclave'],
      token_ttl: '1h'
    })
  })
  afterAll(async () => {
    await bao?.stop()
    cluster?.close()
    if (folder) rmSync(folder, { recursive: true })
  })

  it.each([
    ['of another account', { namespace: GOOD.namespace, name: 'somebody' }],
    ['of another namespace', { namespace: 'elsewhere', name: GOOD.name }]
  ])('is REFUSED to a service account %s', async (_, account) => {
    const key = await openAs(account)
    expect(await rejectionOf(key.check())).toMatchObject({ kind: 'REFUSED' })
    await key.close()
  })

  it('is REFUSED while the file with the service account’s token is not there', async () => {
    const serviceAccountToken = { file: join(folder, 'missing') }
    const authentication = {
      method: 'kubernetes' as const,
      mount: 'clusters/one',
      role: 'conclave',
      serviceAccountToken
    }
    const key = openVaultKey({ url: bao.url, authentication })
    expect(await rejectionOf(key.check())).toMatchObject({ kind: 'REFUSED' })
    await key.close()
  })

  it('works for the service account that the role is bound to', async () => {
    const key = await openAs(GOOD)
    await key.check()
    await key.close()
  })

  /** OpenBao insists on one, also for an address without TLS. */
  async function anyAuthority(): Promise<string> {
    await bao.api('POST', 'sys/mounts/pki', { type: 'pki' })
    const options = { common_name: 'cluster', key_type: 'ec' }
    const made = await bao.api<{ data: { certificate: string } }>('POST', 'pki/root/generate/internal', options)
    return made.data.certificate
  }

  async function openAs(account: typeof GOOD) {
    const file = join(folder, `${account.namespace}-${account.name}`)
    writeFileSync(file, await serviceAccountToken(account))
    return openVaultKey({
      url: bao.url,
      authentication: { method: 'kubernetes', mount: 'clusters/one', role: 'conclave', serviceAccountToken: { file } }
    })
  }

  async function serviceAccountToken({ namespace, name }: typeof GOOD): Promise<string> {
    const account = { namespace, serviceaccount: { name, uid: `uid-of-${name}` } }
    return await new SignJWT({ 'kubernetes.io': account })
      .setProtectedHeader({ alg: 'RS256', kid: 'cluster' })
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setIssuer('https://kubernetes.default.svc.cluster.local')
      .setAudience(['https://kubernetes.default.svc.cluster.local'])
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  }
})

/** Says of every token that it is what it says it is. */
async function startTokenReview(): Promise<Server> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { spec } = JSON.parse(body) as { spec: { token: string } }
    const claims = JSON.parse(Buffer.from(spec.token.split('.')[1] ?? '', 'base64url').toString())
    const user = { username: claims.sub, uid: claims['kubernetes.io'].serviceaccount.uid, groups: [] }
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        status: { authenticated: true, user, audiences: claims.aud }
      })
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
