import { Counter, Histogram, type Registry } from 'prom-client'
import { QUICK_SECONDS } from './buckets.js'

/** Messages on their way in and out. What is counted here is counted once for many wherever there are many. */
export class MessageMetrics {
  /** Messages, a group of them at a time. */
  readonly sent: Counter
  readonly sendStatements: Counter
  readonly opened: Counter<'status'>
  /** Events that sockets and event streams have taken, all subscribers of one event at a time. */
  readonly delivered: Counter
  /** Seconds, once for each change of a message and not for each subscriber. */
  readonly deliveryLag: Histogram

  constructor(registry: Registry) {
    const registers = [registry]
    this.sent = new Counter({ name: 'conclave_messages_sent_total', help: 'Messages that were stored.', registers })
    this.sendStatements = new Counter({
      name: 'conclave_send_statements_total',
      help: 'Groups in which messages were stored, one statement each.',
      registers
    })
    this.opened = new Counter({
      name: 'conclave_messages_opened_total',
      help: 'Messages that were opened for somebody, or could not be.',
      labelNames: ['status'],
      registers
    })
    this.delivered = new Counter({
      name: 'conclave_deliveries_total',
      help: 'Events that were handed to subscribers as they happened.',
      registers
    })
    this.deliveryLag = new Histogram({
      name: 'conclave_delivery_lag_seconds',
      help: 'From the time at which a change was made to that at which it was handed to the last subscriber here.',
      buckets: [...QUICK_SECONDS, 30],
      registers
    })
  }
}
