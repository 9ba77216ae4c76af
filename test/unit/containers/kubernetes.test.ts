import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configVariables, loadConfig, loadMigrationConfig } from '../../../src/config.js'
import { validate } from '../../support/containers/deployment-tools.js'
import { lastStage, processOf } from '../../support/containers/dockerfile.js'
import {
  type Container,
  environmentOf,
  FOLDER,
  kubernetesObjects,
  type Probe,
  workloadsOf
} from '../../support/containers/kubernetes-files.js'
import { isProgram } from '../../support/containers/programs.js'
import { drainMs, PROJECT, read } from '../../support/containers/project-files.js'
import { kubernetesValidateCommand } from '../../support/providers/provider-tools.js'

const objects = kubernetesObjects()
const workloads = workloadsOf(objects)
const image = processOf(lastStage())
const { version } = JSON.parse(read('package.json'))
const guide = read('docs/running.md')

const named = (kind: string) => objects.filter((object) => object.kind === kind)
const probesOf = ({ startupProbe, livenessProbe, readinessProbe }: Container): Probe[] =>
  [startupProbe, livenessProbe, readinessProbe].filter((probe) => probe !== undefined)

describe('the manifests', () => {
  it('make an API twice, a worker, and a migration before them', () => {
    expect(workloads.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'Deployment conclave-api',
      'Deployment conclave-worker',
      'Job conclave-migrate'
    ])
    expect(named('Deployment').map(({ spec }) => spec?.replicas)).toEqual([2, 1])
  })

  it('are all of one namespace, which holds its pods to the restricted profile', () => {
    const [namespace] = named('Namespace')
    expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' })
    const elsewhere = objects.filter(
      ({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== namespace?.metadata.name
    )
    expect(elsewhere).toEqual([])
  })

  it('hold no secret: each is named, and the guide says how it is made', () => {
    expect(named('Secret')).toEqual([])
    const variables = workloads.flatMap(({ container }) => container.env ?? [])
    expect(variables.filter(({ name }) => !name.endsWith('_FILE'))).toEqual([])
    for (const { pod, container } of workloads) {
      const [secret] = pod.volumes.flatMap(({ secret }) => secret ?? [])
      const [, command = ''] = new RegExp(`create secret generic ${secret?.secretName} (.*)$`, 'm').exec(guide) ?? []
      const made = [...command.matchAll(/--from-file=(\S+?)=/g)].map(([, key]) => `/secrets/${key}`)
      expect(made, secret?.secretName).toEqual((container.env ?? []).map(({ value }) => value))
    }
  })

  it('select pods that there are', () => {
    const selectors = objects.flatMap(({ kind, spec }) => {
      const { selector, podSelector } = spec ?? {}
      if (kind === 'Service') return [selector as Record<string, string>]
      return [selector?.matchLabels, podSelector?.matchLabels].filter((labels) => labels !== undefined)
    })
    const idle = selectors.filter(
      (selector) =>
        !workloads.some(({ labels }) => Object.entries(selector).every(([name, value]) => labels[name] === value))
    )
    expect(selectors.length).toBeGreaterThan(5)
    expect(idle).toEqual([])
  })

  it('leave one API running when nodes are emptied, and the others when one is replaced', () => {
    const [budget] = named('PodDisruptionBudget')
    const api = named('Deployment').find(({ metadata }) => metadata.name === 'conclave-api')
    expect(budget?.spec?.minAvailable).toBeLessThan(api?.spec?.replicas ?? 0)
    expect(api?.spec).toMatchObject({ strategy: { rollingUpdate: { maxUnavailable: 0 } } })
  })

  it('call ports by names that they have', () => {
    const ports = workloads.flatMap(({ container }) => container.ports ?? [])
    const names = ports.map(({ name }) => name)
    const called = [
      ...workloads.flatMap(({ container }) => probesOf(container).map(({ httpGet }) => httpGet.port)),
      ...named('Service').flatMap(({ spec }) => spec?.ports?.map(({ targetPort }) => targetPort) ?? []),
      ...named('NetworkPolicy')
        .flatMap(({ spec }) => spec?.ingress?.flatMap(({ ports }) => ports) ?? [])
        .map(({ port }) => port)
    ]
    expect([...new Set(called)].sort()).toEqual([...new Set(names)].sort())
    const [configuration] = named('ConfigMap')
    const numbers = { http: image.port, metrics: Number(configuration?.data?.METRICS_PORT) }
    expect(ports.filter(({ name, containerPort }) => numbers[name as 'http'] !== containerPort)).toEqual([])
  })

  it('have every server asked how it does, and its metrics read', () => {
    const [configuration] = named('ConfigMap')
    const asked = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': configuration?.data?.METRICS_PORT }
    for (const { name, container, annotations } of workloads.filter(({ kind }) => kind === 'Deployment')) {
      expect(annotations, name).toEqual(asked)
      expect(probesOf(container), name).toHaveLength(3)
    }
  })
})

describe.each(workloads)('the pod of $name', ({ kind, pod, container }) => {
  const env = environmentOf(container, objects)

  it('is of this version', () => {
    expect(container.image).toBe(`conclave:${version}`)
  })

  it('starts a program that there is, with variables that it reads', () => {
    expect(isProgram(container.args)).toBe(true)
    expect([...env.keys()].filter((name) => !configVariables.includes(name))).toEqual([])
  })

  it('has a configuration that the program takes, but for the files that are not here', () => {
    const variables = [...env].map(([name, value]): [string, string] =>
      /URL_FILE$/.test(name) ? [name.replace(/_FILE$/, ''), 'postgres://user@database/conclave'] : [name, value]
    )
    const given: Record<string, string> = { ...image.env, ...Object.fromEntries(variables), REDIS_URL: 'redis://redis' }
    expect(() => (kind === 'Job' ? loadMigrationConfig(given) : loadConfig(given))).not.toThrow()
  })

  it('holds to the restricted profile, as the user of the image', () => {
    const [uid] = image.user.split(':').map(Number)
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      fsGroup: uid,
      seccompProfile: { type: 'RuntimeDefault' }
    })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    expect(container.volumeMounts.filter(({ readOnly }) => !readOnly)).toEqual([])
  })

  it('has no token for Kubernetes, and no addresses of what else runs there', () => {
    expect([pod.automountServiceAccountToken, pod.enableServiceLinks]).toEqual([false, false])
    const account = named('ServiceAccount').find(({ metadata }) => metadata.name === pod.serviceAccountName)
    expect(account?.automountServiceAccountToken).toBe(false)
  })

  it('mounts its secrets, and each volume that it mounts is there', () => {
    const volumes = pod.volumes.map(({ name }) => name).sort()
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes)
    const places = container.volumeMounts.map(({ mountPath }) => mountPath)
    const files = [...env].filter(([name]) => name.endsWith('_FILE')).map(([, path]) => path)
    expect(files.filter((file) => !places.some((place) => file.startsWith(`${place}/`)))).toEqual([])
    expect(pod.volumes.flatMap(({ secret }) => secret?.defaultMode ?? [])).toEqual([0o400])
  })

  it('says what it needs, and what it may have', () => {
    expect(Object.keys(container.resources)).toEqual(['requests', 'limits'])
    for (const { cpu, memory } of Object.values(container.resources)) expect([cpu, memory]).not.toContain(undefined)
  })

  it('is given the time in which it is taken out of the way and ends', () => {
    // The migration hears no signal: what it has not finished is undone.
    if (kind === 'Job') return expect(container.lifecycle).toBeUndefined()
    const beforeMs = (container.lifecycle?.preStop.sleep.seconds ?? 0) * 1000
    const graceMs = (pod.terminationGracePeriodSeconds ?? 30) * 1000
    expect(graceMs).toBeGreaterThan(beforeMs + drainMs())
  })
})

/** The oldest that the guide names, and the newest of which there is a schema. */
const [, oldest = ''] = /Kubernetes (\d+\.\d+) or newer/.exec(guide) ?? []
const [, newest = ''] = /^KUBERNETES_VALIDATE=(\d+\.\d+)/m.exec(read('scripts/provider-tools.sh')) ?? []

it('the manifests are held to the versions of Kubernetes that the guide names', () => {
  expect(guide).toContain(`Kubernetes ${oldest} and ${newest},`)
})

describe.skipIf(!kubernetesValidateCommand).each([oldest, newest])('to Kubernetes %s', (version) => {
  it('every manifest is valid', () => {
    const files = readdirSync(join(PROJECT, FOLDER)).sort()
    const { valid, problems } = validate(files.map((name) => read(`${FOLDER}/${name}`)).join('\n---\n'), version)
    expect(problems).toEqual([])
    const all = objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`)
    expect(valid.sort()).toEqual(all.sort())
  })

  it.each([
    ['a name in a pod', 'topologySpreadConstraints:', 'topologySpreadConstraint:', "'topologySpreadConstraint'"],
    ['a name in how it is replaced', 'maxSurge:', 'maxSurges:', "'maxSurges'"],
    ['a kind', 'kind: Deployment', 'kind: Deploymnet', 'kind Deploymnet'],
    ['a word for a number', 'failureThreshold: 60', 'failureThreshold: sixty', "'sixty'"]
  ])('%s that is misspelt would be found', (_, right, wrong, found) => {
    const api = read(`${FOLDER}/api.yaml`)
    const broken = api.replace(right, () => wrong)
    expect(broken).not.toBe(api)
    expect(validate(broken, version).problems).toEqual([expect.stringContaining(found)])
  })
})
