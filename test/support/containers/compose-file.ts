import { join } from 'node:path'
import { PROJECT, readYaml } from './project-files.js'

/** What compose.yaml says of a container, as far as the tests look at it. */
export interface Service {
  image: string
  build?: string
  user: string
  hostname?: string
  restart: string
  entrypoint?: string[]
  command?: string[]
  environment?: Record<string, string>
  ports?: string[]
  volumes?: string[]
  tmpfs?: string[]
  read_only?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  security_opt?: string[]
  stop_grace_period?: string
  network_mode?: string
  networks?: string[]
  deploy?: { replicas: number }
  healthcheck?: { disable?: boolean; test?: string[] }
  depends_on?: Record<string, { condition: string }>
}

export interface ComposeFile {
  name: string
  services: Record<string, Service>
  volumes: Record<string, unknown>
  networks: Record<string, unknown>
}

export const composeFile = (env: Record<string, string> = {}) => readYaml<ComposeFile>('compose.yaml', env)

export function serviceOf(file: ComposeFile, name: string): Service {
  const service = file.services[name]
  if (!service) throw new Error(`compose.yaml has no service ${name}`)
  return service
}

/** Where a path inside a container is on this machine. */
export type Places = (path: string) => string

/** @param volumes folder of each named volume */
export function placesOf({ volumes = [] }: Service, folders: Record<string, string>): Places {
  const mounts = volumes.map((volume) => {
    const [source = '', target = ''] = volume.split(':')
    return { target, place: source.startsWith('./') ? join(PROJECT, source) : (folders[source] ?? '/nowhere') }
  })
  return (path) => {
    const mount = mounts.find(({ target }) => path === target || path.startsWith(`${target}/`))
    return mount ? mount.place + path.slice(mount.target.length) : path
  }
}
