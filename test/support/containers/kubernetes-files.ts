import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT, readDocuments } from './project-files.js'

export interface EnvironmentVariable {
  name: string
  value?: string
}

export interface Probe {
  httpGet: { path: string; port: string | number }
}

export interface Container {
  name: string
  image: string
  args: string[]
  env?: EnvironmentVariable[]
  envFrom?: { configMapRef: { name: string } }[]
  ports?: { name: string; containerPort: number }[]
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
  lifecycle?: { preStop: { sleep: { seconds: number } } }
  resources: Record<'requests' | 'limits', { cpu: string; memory: string }>
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}

export interface PodSpec {
  serviceAccountName: string
  automountServiceAccountToken: boolean
  enableServiceLinks: boolean
  terminationGracePeriodSeconds?: number
  securityContext: Record<string, unknown> & { runAsUser: number; fsGroup: number }
  containers: Container[]
  volumes: { name: string; secret?: { secretName: string; defaultMode: number }; projected?: object }[]
}

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  automountServiceAccountToken?: boolean
  data?: Record<string, string>
  spec?: {
    replicas?: number
    minAvailable?: number
    selector?: { matchLabels?: Record<string, string> } & Record<string, unknown>
    podSelector?: { matchLabels: Record<string, string> }
    ports?: { port: number; targetPort: string }[]
    ingress?: { ports: { port: string }[] }[]
    template?: { metadata: { labels: Record<string, string>; annotations?: Record<string, string> }; spec: PodSpec }
  }
}

export const FOLDER = 'deploy/kubernetes'

/** Everything that `kubectl apply -f deploy/kubernetes` makes. */
export function kubernetesObjects(): KubernetesObject[] {
  return readdirSync(join(PROJECT, FOLDER))
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => readDocuments<KubernetesObject>(`${FOLDER}/${name}`))
}

export interface Workload {
  name: string
  kind: string
  labels: Record<string, string>
  annotations: Record<string, string>
  pod: PodSpec
  container: Container
}

/** What runs, each with its one container. */
export function workloadsOf(objects: KubernetesObject[]): Workload[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    const pod = spec?.template?.spec
    const container = pod?.containers[0]
    if (!pod || !container) return []
    const { labels = {}, annotations = {} } = spec?.template?.metadata ?? {}
    return [{ name: metadata.name, kind, labels, annotations, pod, container }]
  })
}

/** The variables of a container, those of its ConfigMaps included. */
export function environmentOf({ env = [], envFrom = [] }: Container, objects: KubernetesObject[]): Map<string, string> {
  const maps = envFrom.map(({ configMapRef: { name } }) => {
    const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)
    if (!map?.data) throw new Error(`there is no ConfigMap ${name}`)
    return Object.entries(map.data)
  })
  return new Map([...maps.flat(), ...env.map(({ name, value = '' }): [string, string] => [name, value])])
}
