import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave } from '../support/boot.js'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { promtool, promtoolCommand } from '../support/promtool.js'
import { type Scrape, scrape } from '../support/scrape.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** What is deployed to watch Conclave, against what a running server tells. */

const ROOT = join(import.meta.dirname, '..', '..')
const DEPLOY = join(ROOT, 'deploy')
const dashboard = readFileSync(join(DEPLOY, 'grafana-dashboard.json'), 'utf8')
const alerts = readFileSync(join(DEPLOY, 'alerts.yml'), 'utf8')
const alertTestFiles = readdirSync(DEPLOY).filter((name) => /^alerts.*\.test\.yml$/.test(name))
const alertTests = alertTestFiles.map((name) => readFileSync(join(DEPLOY, name), 'utf8'))
const documented = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8')

interface Panel {
  title: string
  type: string
  datasource?: { uid: string }
  targets?: { expr: string }[]
}
const { panels } = JSON.parse(dashboard) as { panels: Panel[] }
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
const alertNames = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)

let exported: Scrape

beforeAll(async () => {
  const conclave = await bootConclave()
  conclave.services.metrics.watchProcess()
  exported = await scrape(conclave.url)
  await conclave.close()
})

/** Names of metrics in an expression; of a histogram that of the whole. */
function metricsIn(text: string): string[] {
  const names = [...text.matchAll(/\b(?:conclave|process|nodejs)_\w+/g)].map(([name]) => name)
  return [...new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, '')))]
}

describe('a metric', () => {
  it.each(metricsIn(expressions.join('\n')))('of the dashboard is exported: %s', (name) => {
    expect(exported.names).toContain(name)
  })

  it.each(metricsIn(alerts.replaceAll(/description:.*/g, '')))('of the alert rules is exported: %s', (name) => {
    expect(exported.names).toContain(name)
  })

  it('of Conclave is documented, and what is documented is one', () => {
    const rows = [...documented.matchAll(/^\| (`conclave_[^|]+) \|/gm)].map(([, cell = '']) => cell)
    const names = rows.flatMap((cell) => metricsIn(cell))
    expect(names.sort()).toEqual(exported.names.filter((name) => name.startsWith('conclave_')).sort())
  })

  it('of Conclave has the labels that are documented', () => {
    for (const [, names = '', labels = ''] of documented.matchAll(/^\| (`conclave_[^|]+) \| ([^|]*)\|/gm)) {
      const listed = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)
      for (const name of metricsIn(names)) {
        const pattern = new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{([^}]*)\\}`, 'gm')
        const found = [...exported.text.matchAll(pattern)].flatMap(([, inner = '']) =>
          [...inner.matchAll(/(\w+)="/g)].map(([, label]) => label)
        )
        expect(listed, name).toEqual(expect.arrayContaining([...new Set(found)].filter((label) => label !== 'le')))
      }
    }
  })
})

describe('an alert', () => {
  it.each(alertNames)('has a test, and says what to do: %s', (name) => {
    expect(alertTests.join('\n')).toContain(`alertname: ${name}`)
    expect(documented).toContain(name)
  })

  it.skipIf(!promtoolCommand)('fires when it must, and not before', () => {
    const { code, output } = promtool('test', 'rules', ...alertTestFiles.map((name) => join(DEPLOY, name)))
    expect(code, output).toBe(0)
    expect(output).toContain('SUCCESS')
  })

  it.skipIf(!promtoolCommand)('that is changed is found out by its test', () => {
    const folder = mkdtempSync(join(tmpdir(), 'conclave-alerts-'))
    writeFileSync(
      join(folder, 'alerts.yml'),
      alerts.replace('conclave_master_key_reachable) == 0', 'conclave_master_key_reachable) == 2')
    )
    cpSync(join(DEPLOY, 'alerts.test.yml'), join(folder, 'alerts.test.yml'))
    expect(promtool('test', 'rules', join(folder, 'alerts.test.yml')).code).toBe(1)
    rmSync(folder, { recursive: true })
  })
})

describe('the dashboard', () => {
  it('asks the Prometheus that is chosen, with every panel', () => {
    const asking = panels.filter(({ type }) => type !== 'row')
    expect(asking.length).toBeGreaterThan(20)
    for (const { title, datasource, targets = [] } of asking) {
      expect(datasource?.uid, title).toBe('$' + '{datasource}')
      expect(targets, title).not.toEqual([])
    }
  })

  it.skipIf(!promtoolCommand)('has expressions that Prometheus can read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'conclave-dashboard-'))
    const file = join(folder, 'expressions.yml')
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m')
    }))
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { code, output } = promtool('check', 'rules', '--lint=none', file)
    expect(code, output).toBe(0)
    expect(output).toContain(`${expressions.length} rules found`)
    rmSync(folder, { recursive: true })
  })
})

describe('a worker', () => {
  let database: TestDatabase
  let program: InstalledProgram
  let worker: RunningProgram

  beforeAll(async () => {
    database = await createTestDatabase()
    program = await InstalledProgram.built()
    worker = program.startWorker({
      DATABASE_URL: database.url,
      MASTER_KEY: 'local:test',
      MASTER_SECRETS: `test=${Buffer.alloc(32, 7).toString('base64')}`,
      AUTH_JWT_SECRET: 'only for tests, and long enough for HS256',
      KEY_BITS: '2048',
      METRICS_PORT: '0'
    })
    await worker.printed('Metrics: ')
  }, 120_000)
  afterAll(async () => {
    await worker.interrupt()
    await program.remove()
    await database.drop()
  })

  it('has metrics and probes on the port that it was given', async () => {
    await worker.printed('/metrics')
    const url = /Metrics: (\S+)/.exec(worker.output)?.[1] ?? ''
    expect(await (await fetch(new URL('/readyz', url))).json()).toMatchObject({ status: 'ok' })
    const scraped = await scrape(url)
    expect(scraped.value('conclave_keys', { state: 'ACTIVE' })).toBe(0)
    expect(scraped.value('process_resident_memory_bytes')).toBeGreaterThan(0)
  })
})
