import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { RunningProgram } from '../program.js'
import type { ImageTree } from './image-tree.js'

/** Only root may give a process another user and a view of its own of the machine. */
export const canContain =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  ['/usr/bin/unshare', '/usr/bin/setpriv'].every((path) => existsSync(path))

export interface Containment {
  /** `user:group`, in numbers. */
  user: string
  env: Record<string, string>
}

/**
 * Everything can be read and nothing written; a process that is the first of its own (PID 1), as in a container: signals that
 * it does not handle do nothing to it.
 */
const CLOSED = 'mount -o remount,bind,ro / && exec "$@"'

/**
 * Starts a command of an image as compose.yaml and the manifests have a container engine do: as another user, without
 * a name, a home, capabilities or a way to any, on a file system that is read-only.
 *
 * @param command with the image's entrypoint
 */
export function startContained(tree: ImageTree, command: string[], { user, env }: Containment): RunningProgram {
  const [uid, gid] = user.split(':')
  const [program, ...args] = command
  if (program !== 'node') throw new Error(`the image has node, and no ${program}`)
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--kill-child']
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs']
  const capabilities = ['--bounding-set=-all', '--inh-caps=-all']
  const contained = ['/usr/bin/setpriv', ...identity, ...capabilities, tree.node, ...args]
  return new RunningProgram(
    spawn('/usr/bin/unshare', [...namespaces, 'sh', '-ec', CLOSED, 'sh', ...contained], {
      cwd: tree.folder,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', TMPDIR: '/nowhere', ...tree.process.env, ...env },
      detached: true
    })
  )
}

/** Whether a container engine would call a process with this environment healthy. */
export async function isHealthy(
  tree: ImageTree,
  containment: Containment,
  check = tree.process.healthcheck
): Promise<boolean> {
  const { code } = await startContained(tree, check, containment).finished()
  return code === 0
}
