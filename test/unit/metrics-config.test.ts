import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.js'

const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://localhost/conclave',
  AUTH_JWT_SECRET: 'only for tests, and long enough for HS256',
  MASTER_KEY: 'local:test',
  MASTER_SECRETS: `test=${Buffer.alloc(32, 7).toString('base64')}`
}
const METRICS_TOKEN = 'long-enough-for-a-token'

describe('metrics beside the API', () => {
  it.each([
    ['in production', production],
    ['in production, although only its own machine reaches it', { ...production, HOST: '127.0.0.1' }],
    ['where others than its own machine reach it', { HOST: '0.0.0.0' }],
    ['where it is reached by a name', { HOST: 'localhost.example' }]
  ])('are not there %s', (_, env) => {
    expect(loadConfig(env).metricsBesideGraphql).toBe(false)
  })

  it.each([
    ['in development', {}],
    ['in development, over version 6', { HOST: '::1' }],
    ['with a token', { ...production, METRICS_TOKEN }],
    ['with a token, for everybody who reaches it', { HOST: '0.0.0.0', METRICS_TOKEN }]
  ])('are there %s', (_, env) => {
    expect(loadConfig(env).metricsBesideGraphql).toBe(true)
  })
})

describe('metrics on a port of their own', () => {
  it('are not there unless they are asked for, and then for their own machine', () => {
    expect(loadConfig({})).toMatchObject({ metricsPort: null, metricsHost: '127.0.0.1' })
    expect(loadConfig({ METRICS_PORT: '9100', METRICS_HOST: '::' })).toMatchObject({
      metricsPort: 9100,
      metricsHost: '::'
    })
  })
})
