import { collectDefaultMetrics, Registry } from 'prom-client'
import { AuditMetrics } from './audit-metrics.js'
import type { Collector } from './collector.js'
import { JobMetrics } from './job-metrics.js'
import { KeyUseMetrics } from './key-use-metrics.js'
import { MessageMetrics } from './message-metrics.js'
import { OperationMetrics } from './operation-metrics.js'

/**
 * What this process counts of itself, for Prometheus. Labels are names of operations, codes, states, jobs and URIs of
 * master keys, each of a closed list or one of this deployment: never an id, and nothing that a client has chosen.
 */
export class Metrics {
  readonly registry = new Registry()
  readonly operations = new OperationMetrics(this.registry)
  readonly messages = new MessageMetrics(this.registry)
  readonly keyUse = new KeyUseMetrics(this.registry)
  readonly jobs = new JobMetrics(this.registry)
  readonly audit = new AuditMetrics(this.registry)
  readonly #collectors: Collector[] = []

  /** Has something looked up, at most as often as its collector allows, before metrics are read. */
  addCollector(collector: Collector): void {
    this.#collectors.push(collector)
  }

  /** Memory, processor, event loop and garbage collection: once in a process. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    await Promise.all(this.#collectors.map((collector) => collector.refresh()))
    return await this.registry.metrics()
  }
}
