import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeysDocument, SetKeyPolicyDocument } from '../../documents/generated.js'
import { brief, createConversation, follow, readBack, send } from '../support/chat.js'
import { Composed } from '../support/containers/composed.js'
import { composeFile } from '../support/containers/compose-file.js'
import { canContain, isHealthy } from '../support/containers/contained-process.js'
import { ImageTree } from '../support/containers/image-tree.js'
import { drainMs } from '../support/containers/project-files.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { freePort, type RunningProgram } from '../support/program.js'
import { hasProviderClients } from '../support/providers/provider-tools.js'
import { canStartRedis } from '../support/redis.js'

const WORKER_SCANS_MS = 60_000

describe.runIf(canContain && canStartRedis && hasProviderClients)('what compose.yaml starts', () => {
  const { services } = composeFile()
  let tree: ImageTree
  let composed: Composed
  beforeAll(async () => {
    tree = await ImageTree.build()
    composed = new Composed(tree)
    await composed.makeSecrets()
  }, 300_000)
  afterAll(async () => {
    await composed.close()
    tree.remove()
  })

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
    let alice: GraphQLClient
    let bob: GraphQLClient
    beforeAll(async () => {
      await composed.startStores()
      await composed.makeTransitKey()
      const migrated = await composed.start('migrate').finished()
      expect(migrated).toEqual({ code: 0, output: 'The database is up to date.\n' })
      ports = [await freePort(), await freePort()]
      apis = ports.map((port) => composed.start('api', { PORT: String(port) }))
      worker = composed.start('worker')
      await Promise.all(apis.map((api) => api.ready()))
      await worker.printed("Conclave's worker runs")
      alice = new GraphQLClient(urlOf(ports[0]), await token('alice'))
      bob = new GraphQLClient(urlOf(ports[1]), await token('bob'))
    }, 120_000)
    afterAll(async () => {
      await alice.close()
      await bob.close()
    })

    it('is healthy, both of the two, with its database, Redis and OpenBao', async () => {
      for (const port of ports) {
        expect(await isHealthy(tree, composed.containment('api', { PORT: String(port) }))).toBe(true)
        const answer = await fetch(`${urlOf(port)}/readyz`)
        expect(await answer.json()).toEqual({
          status: 'ok',
          database: 'ok',
          redis: 'ok',
          masterKeys: { 'vault:transit/conclave': 'ok' }
        })
      }
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
      const another = composed.start('api', { PORT: String(port) })
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
      const since = performance.now()
      for (const program of [worker, ...apis]) program.terminate()
      const codes = await Promise.all([worker, ...apis].map(async (program) => (await program.finished()).code))
      expect(codes).toEqual([0, 0, 0])
      expect(performance.now() - since).toBeLessThan(drainMs())
    })

    /** As the guide has it made: by the program in the container. */
    async function token(user: string): Promise<string> {
      const { code, output } = await composed.run('api', ['dist/src/token.js', user]).finished()
      expect([code, output]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)])
      return output.trim()
    }
  })
})

function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile())
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

function urlOf(port: number | undefined): string {
  return `http://127.0.0.1:${port}`
}
