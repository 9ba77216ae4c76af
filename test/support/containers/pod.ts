import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningProgram } from '../program.js'
import { startContained } from './contained-process.js'
import type { ImageTree } from './image-tree.js'
import { type Container, kubernetesObjects, workloadsOf } from './kubernetes-files.js'

/** What the manifests name, and is not here: Vault, and the provider of tokens. */
const LOCAL = {
  masters: `pod=${Buffer.alloc(32, 7).toString('base64')}`,
  'jwt-secret': 'only for tests, and long enough for HS256'
}

/**
 * Containers of the manifests: with their arguments, and those variables that stand in themselves. Their secrets are as Kubernetes
 * gives them to a user who is not root: of root, and readable by a group of the process.
 */
export class Pods {
  readonly #tree: ImageTree
  readonly #folder = mkdtempSync(join(tmpdir(), 'conclave-pods-'))
  readonly #running: RunningProgram[] = []

  constructor(tree: ImageTree) {
    this.#tree = tree
    chmodSync(this.#folder, 0o711)
  }

  /**
   * @param secrets by the names of their files
   * @param variables beside the manifest's
   */
  start(name: string, secrets: Record<string, string>, variables: Record<string, string> = {}): RunningProgram {
    const { args, env = [] } = containerOf(name)
    const mount = this.#mount(name, { ...LOCAL, ...secrets })
    const given = env.map(({ name, value = '' }) => [name, value.replace('/secrets', mount)])
    const local = {
      MASTER_KEY: 'local:pod',
      MASTER_SECRETS_FILE: join(mount, 'masters'),
      AUTH_JWT_SECRET_FILE: join(mount, 'jwt-secret')
    }
    const { entrypoint, user } = this.#tree.process
    const contained = { user, env: { ...local, ...Object.fromEntries(given), ...variables } }
    const program = startContained(this.#tree, [...entrypoint, ...args], contained)
    this.#running.push(program)
    return program
  }

  async remove(): Promise<void> {
    for (const program of this.#running) await program.interrupt()
    rmSync(this.#folder, { recursive: true })
  }

  #mount(name: string, secrets: Record<string, string>): string {
    const [, group = 0] = this.#tree.process.user.split(':').map(Number)
    const mount = join(this.#folder, name)
    mkdirSync(mount)
    for (const [file, text] of Object.entries(secrets)) {
      const path = join(mount, file)
      writeFileSync(path, text)
      chownSync(path, 0, group)
      chmodSync(path, 0o440)
    }
    return mount
  }
}

export function containerOf(name: string): Container {
  const found = workloadsOf(kubernetesObjects()).find(({ container }) => container.name === name)
  if (!found) throw new Error(`the manifests have no container ${name}`)
  return found.container
}

/** Paths that Kubernetes asks. */
export function probesOf({ startupProbe, livenessProbe, readinessProbe }: Container): string[] {
  return [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => probe?.httpGet.path ?? [])
}
