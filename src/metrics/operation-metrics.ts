import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { QUICK_SECONDS } from './buckets.js'

/** How an operation has come. */
export type Transport = 'http' | 'websocket' | 'event_stream'

/** The children of one operation over one transport: found once, since finding them takes longer than counting. */
interface Answered {
  count: Counter.Internal
  duration: Histogram.Internal<'operation'>
}

/** What clients ask for. The names of operations are those of operation-label.ts, of which there is a bounded number. */
export class OperationMetrics {
  readonly #total: Counter<'operation' | 'transport'>
  readonly #errors: Counter<'operation' | 'code'>
  readonly #duration: Histogram<'operation'>
  readonly #resumes: Counter<'operation'>
  readonly #subscribers: Gauge<'operation' | 'transport'>
  readonly #known = new Map<string, Answered>()

  constructor(registry: Registry) {
    const registers = [registry]
    this.#total = new Counter({
      name: 'conclave_operations_total',
      help: 'Operations that were answered; of subscriptions, those that were begun or refused.',
      labelNames: ['operation', 'transport'],
      registers
    })
    this.#errors = new Counter({
      name: 'conclave_operation_errors_total',
      help: 'Answers that held an error of this code.',
      labelNames: ['operation', 'code'],
      registers
    })
    this.#duration = new Histogram({
      name: 'conclave_operation_duration_seconds',
      help: 'From the request to its answer; of subscriptions, to their beginning.',
      labelNames: ['operation'],
      buckets: QUICK_SECONDS,
      registers
    })
    this.#resumes = new Counter({
      name: 'conclave_resumes_total',
      help: 'Subscriptions that went on from a cursor of their own.',
      labelNames: ['operation'],
      registers
    })
    this.#subscribers = new Gauge({
      name: 'conclave_subscribers',
      help: 'Subscriptions that are open in this process.',
      labelNames: ['operation', 'transport'],
      registers
    })
  }

  /** @param codes of the errors in the answer */
  answered(operation: string, transport: Transport, tookMs: number, codes: readonly string[]): void {
    const { count, duration } = this.#of(operation, transport)
    count.inc()
    duration.observe(tookMs / 1000)
    if (codes.length > 0) for (const code of new Set(codes)) this.#errors.inc({ operation, code })
  }

  resumed(operation: string): void {
    this.#resumes.inc({ operation })
  }

  /** @returns what is called when the subscription ends, and does nothing the second time */
  subscribed(operation: string, transport: Transport): () => void {
    const subscribers = this.#subscribers.labels({ operation, transport })
    subscribers.inc()
    let isOpen = true
    return () => {
      if (isOpen) subscribers.dec()
      isOpen = false
    }
  }

  #of(operation: string, transport: Transport): Answered {
    const key = `${transport} ${operation}`
    const known = this.#known.get(key)
    if (known) return known
    const found = {
      count: this.#total.labels({ operation, transport }),
      duration: this.#duration.labels({ operation })
    }
    this.#known.set(key, found)
    return found
  }
}
