import { Gauge } from 'prom-client'
import { readinessOf } from '../graphql/readiness.js'
import type { Services } from '../services.js'
import { Collector } from './collector.js'

/** As often as a load balancer asks the same. */
const EVERY_MS = 1_000

type StandingServices = Pick<Services, 'metrics' | 'database' | 'masterKeyHealth' | 'signals'>

/** Whether this process reaches what it depends on: what `/readyz` says, as numbers. */
export function watchStanding(services: StandingServices): void {
  const { metrics, signals, database } = services
  const registers = [metrics.registry]
  const reachable = new Gauge({
    name: 'conclave_database_reachable',
    help: 'Whether this process reaches the database.',
    registers
  })
  const connections = new Gauge({
    name: 'conclave_database_connections',
    help: 'Connections of this process that are busy or idle, and what waits for one.',
    labelNames: ['state'],
    registers
  })
  const hearing = new Gauge({
    name: 'conclave_signals_heard',
    help: 'Whether this process hears signals: without them events come within five seconds.',
    registers
  })
  const masterKeys = new Gauge({
    name: 'conclave_master_key_reachable',
    help: 'Whether this process can use each master key that it was given.',
    labelNames: ['master_key'],
    registers
  })
  const collect = async () => {
    const readiness = await readinessOf(services)
    reachable.set(Number(readiness.database === 'ok'))
    for (const [state, count] of Object.entries(database.connections)) connections.set({ state }, count)
    hearing.set(Number(signals.isHearing))
    for (const [uri, problem] of Object.entries(readiness.masterKeys)) {
      masterKeys.set({ master_key: uri }, Number(problem === 'ok'))
    }
  }
  metrics.addCollector(new Collector(collect, EVERY_MS))
}
