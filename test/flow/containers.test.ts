import { X509Certificate } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeysDocument, SetKeyPolicyDocument } from '../../documents/generated.js'
import { brief, createConversation, follow, readBack, send } from '../support/chat.js'
import { composeFile } from '../support/containers/compose-file.js'
import { Composed } from '../support/containers/composed.js'
import { canContain, isHealthy, startContained } from '../support/containers/contained-process.js'
import { everythingBelow, ImageTree } from '../support/containers/image-tree.js'
import { containerOf, Pods, probesOf } from '../support/containers/pod.js'
import { read } from '../support/containers/project-files.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { freePort, type RunningProgram } from '../support/program.js'
import { hasProviderClients } from '../support/providers/provider-tools.js'
import { canStartRedis, RedisServer } from '../support/redis.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/**
 * The files of the image, made by the Dockerfile's own lines, and the program among them, contained as the manifests
 * and compose.yaml say.
 */

const READ_BY_ALL = 0o004
const WRITTEN_BY_OTHERS = 0o022
const WORKER_SCANS_MS = 60_000

const { packages } = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>
}
let tree: ImageTree

beforeAll(async () => {
  if (canContain) tree = await ImageTree.build()
}, 600_000)
afterAll(() => tree?.remove(), 120_000)

describe.runIf(canContain)('the image', () => {
  describe('its files', () => {
    it('are what was built, with what that needs, and nothing else', () => {
      expect(readdirSync(tree.folder).sort()).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json'])
      expect(readdirSync(join(tree.folder, 'dist')).sort()).toEqual(
        readdirSync(tree.pathIn('build', '/conclave/dist')).sort()
      )
      const installed = everythingBelow(join(tree.folder, 'node_modules')).map((path) =>
        path.slice(tree.folder.length + 1)
      )
      const present = new Set(installed)
      const wanted = Object.entries(packages).filter(
        ([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional
      )
      expect(wanted.map(([path]) => path).filter((path) => !present.has(path))).toEqual([])
      const unwanted = Object.entries(packages).filter(([, { dev, optional }]) => dev || optional)
      expect(unwanted.map(([path]) => path).filter((path) => present.has(path))).toEqual([])
    })

    it('belong to root, can be read by everybody, and are written by nobody else', () => {
      const wrong = everythingBelow(tree.root).filter((path) => {
        const file = lstatSync(path)
        if (file.isSymbolicLink()) return false
        return file.uid !== 0 || (file.mode & READ_BY_ALL) === 0 || (file.mode & WRITTEN_BY_OTHERS) !== 0
      })
      expect(wrong).toEqual([])
    })

    it('hold no source, no test, no document and no secret of the folder that it is built in', () => {
      const context = tree.pathIn('build', '/conclave')
      for (const name of ['.git', '.data', 'test', 'docs', 'deploy', '.provider-tools', 'secrets'])
        expect(existsSync(join(context, name)), name).toBe(false)
    })
  })

  it('refuses to start without a configuration, with every problem, and without the embedded database', async () => {
    const { user, entrypoint, command } = tree.process
    const start = (env: Record<string, string>) =>
      startContained(tree, [...entrypoint, ...command], { user, env }).finished()
    const refused = await start({})
    expect([refused.code, refused.output.match(/^ {2}- \w+/gm)]).toEqual([
      1,
      expect.arrayContaining(['  - DATABASE_URL', '  - AUTH_JWT_SECRET', '  - MASTER_SECRETS'])
    ])
    const development = await start({ NODE_ENV: 'development' })
    expect([development.code, development.output]).toEqual([
      1,
      expect.stringContaining('set DATA_DIR to another folder')
    ])
  })

  describe.runIf(canStartRedis)('as pods', () => {
    let database: TestDatabase
    let redis: RedisServer
    let pods: Pods
    beforeAll(async () => {
      redis = await RedisServer.start()
      database = await createTestDatabase({ empty: true })
      pods = new Pods(tree)
    })
    afterAll(async () => {
      await pods.remove()
      await redis.stop()
      await database.drop()
    })

    it('migrates, serves and works, with secrets of root’s that its group may read, and ends in order', async () => {
      const urls = (url: string) => ({ 'database-url': url, 'redis-url': redis.url })
      const migrated = await pods.start('migrate', urls(database.url)).finished()
      expect(migrated).toEqual({ code: 0, output: 'The database is up to date.\n' })

      const PORT = String(await freePort())
      const api = pods.start('api', urls(database.urlOf('conclave_api')), { PORT })
      expect(await api.ready()).toBe(`http://localhost:${PORT}`)
      const asked = probesOf(containerOf('api')).map((path) => fetch(`http://127.0.0.1:${PORT}${path}`))
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200])
      const { user } = tree.process
      expect(await isHealthy(tree, { user, env: { PORT } })).toBe(true)
      expect(await isHealthy(tree, { user, env: { PORT: String(await freePort()) } })).toBe(false)

      const METRICS_PORT = String(await freePort())
      const worker = pods.start('worker', urls(database.urlOf('conclave_worker')), { METRICS_PORT })
      await worker.printed("Conclave's worker runs")
      const answers = await Promise.all(
        ['/metrics', ...probesOf(containerOf('worker'))].map((path) => fetch(`http://127.0.0.1:${METRICS_PORT}${path}`))
      )
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      for (const program of [worker, api]) await expectOrderlyEnd(program)
    })
  })
})

describe.runIf(canContain && canStartRedis && hasProviderClients)('what compose.yaml starts', () => {
  const { services } = composeFile()
  let composed: Composed
  beforeAll(async () => {
    composed = new Composed(tree)
    await composed.makeSecrets()
  })
  afterAll(() => composed.close())

  it('has secrets that one user can read each, the one whose environment names it', () => {
    const files = readdirSync(composed.secrets).filter((name) => name !== 'complete' && name !== 'tls')
    const open = files.filter((name) => (statSync(join(composed.secrets, name)).mode & 0o777) !== 0o400)
    expect([files.length, open]).toEqual([16, []])
    for (const [service, { user, environment = {} }] of Object.entries(services)) {
      const named = Object.entries(environment).flatMap(([name, path]) => (name.endsWith('_FILE') ? [path] : []))
      // Its token each process of the program is given later.
      for (const path of named.filter((path) => !path.endsWith('vault-token'))) {
        const { uid, gid } = statSync(path.replace('/secrets', composed.secrets))
        expect(`${uid}:${gid}`, `${service}: ${path}`).toBe(user)
      }
    }
  })

  it('keeps the secrets that it has', async () => {
    const before = contentOf(composed.secrets)
    await composed.makeSecrets()
    expect(contentOf(composed.secrets)).toEqual(before)
    expect(new Set(Object.values(before)).size).toBeGreaterThan(10)
  })

  describe('on its stores', () => {
    let ports: number[]
    let apis: RunningProgram[]
    let worker: RunningProgram
    let apiMetrics: string[]
    let workerPort: string
    let alice: GraphQLClient
    let bob: GraphQLClient
    beforeAll(async () => {
      await composed.startStores()
      await composed.makeTransitKey()
      const migrated = await composed.start('migrate').finished()
      expect(migrated).toEqual({ code: 0, output: 'The database is up to date.\n' })
      ports = [await freePort(), await freePort()]
      apiMetrics = [String(await freePort()), String(await freePort())]
      apis = ports.map((port, index) =>
        composed.start('api', { PORT: String(port), METRICS_PORT: apiMetrics[index] ?? '' })
      )
      workerPort = String(await freePort())
      worker = composed.start('worker', { METRICS_PORT: workerPort })
      await Promise.all(apis.map((api) => api.ready()))
      await worker.printed("Conclave's worker runs")
      alice = new GraphQLClient(urlOf(ports[0]), await token('alice'))
      bob = new GraphQLClient(urlOf(ports[1]), await token('bob'))
    }, 120_000)
    afterAll(async () => {
      await alice?.close()
      await bob?.close()
    })

    it('is healthy, both of the two, with its database, Redis and OpenBao', async () => {
      for (const port of ports) {
        expect(await composed.isHealthy('api', { PORT: String(port) })).toBe(true)
        const answer = await fetch(`${urlOf(port)}/readyz`)
        expect(await answer.json()).toEqual({
          status: 'ok',
          database: 'ok',
          redis: 'ok',
          masterKeys: ['ok']
        })
      }
    })

    it('has a worker that is asked how it does by its own check', async () => {
      expect(await composed.isHealthy('worker', { METRICS_PORT: workerPort })).toBe(true)
      expect(await composed.isHealthy('worker', { METRICS_PORT: String(await freePort()) })).toBe(false)
    })

    it('shows the metrics of each process, on a port of its own', async () => {
      for (const port of [...apiMetrics, workerPort]) {
        const metrics = await fetch(`http://127.0.0.1:${port}/metrics`)
        expect([metrics.status, await metrics.text()]).toEqual([
          200,
          expect.stringContaining('process_cpu_seconds_total')
        ])
      }
    })

    it('has an OpenBao whose certificate is for the name that it is asked by', () => {
      const { VAULT_ADDR = '' } = services.api?.environment ?? {}
      const certificate = new X509Certificate(readFileSync(join(composed.secrets, 'tls', 'vault-cert.pem')))
      expect(certificate.checkHost(new URL(VAULT_ADDR).hostname)).toBeDefined()
    })

    it('carries a message from one API process to the other, and has its worker rotate the key', async () => {
      const id = await createConversation(alice, ['bob'])
      const events = await follow(bob, id)
      await send(alice, id, 'Hungry?')
      expect(brief(await events.next())).toBe('SENT Hungry?')
      events.stop()

      await alice.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'PT1S' } })
      const versions = async () => (await bob.run(KeysDocument, { id })).conversation?.keys.length
      await vi.waitFor(async () => expect(await versions()).toBeGreaterThan(1), { timeout: WORKER_SCANS_MS })
      expect((await readBack(bob, id)).map(({ body }) => body)).toContain('Hungry?')
    }, 90_000)

    it('opens what it has stored after OpenBao has forgotten everything, and was set up again', async () => {
      const id = await createConversation(alice, ['bob'])
      await send(alice, id, 'Still there?')
      await composed.stopOpenBao()
      await composed.startOpenBao()
      await composed.makeTransitKey()
      const port = await freePort()
      const another = composed.start('api', { PORT: String(port), METRICS_PORT: String(await freePort()) })
      await another.ready()
      const reader = new GraphQLClient(urlOf(port), await token('bob'))
      expect((await readBack(reader, id)).map(({ body }) => body)).toEqual(['Still there?'])
      await reader.close()
      another.terminate()
      expect((await another.finished()).code).toBe(0)
    })

    it('starts in production as well, with the same secrets', async () => {
      const api = composed.start('api', { PORT: String(await freePort()), NODE_ENV: 'production' })
      const answer = await fetch(`${await api.ready()}/readyz`)
      expect(await answer.json()).toMatchObject({ status: 'ok' })
    })

    it('ends in order when it is told to', async () => {
      for (const program of [worker, ...apis]) await expectOrderlyEnd(program)
    })

    /** As the guide has it made: by the program in the container. */
    async function token(user: string): Promise<string> {
      const { code, output } = await composed.run('api', ['dist/src/conclave.js', 'token', user]).finished()
      expect([code, output]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)])
      return output.trim()
    }
  })
})

/** By itself, within its time: it would end with 1 after that. */
async function expectOrderlyEnd(program: RunningProgram): Promise<void> {
  program.terminate()
  const { code, output } = await program.finished()
  expect(code, output).toBe(0)
}

function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile())
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

function urlOf(port: number | undefined): string {
  return `http://127.0.0.1:${port}`
}
