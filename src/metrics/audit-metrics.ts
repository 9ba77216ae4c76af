import { Gauge, type Registry } from 'prom-client'

/** What was found when the audit trail was verified here last; nothing before the first time. */
export class AuditMetrics {
  readonly #valid: Gauge
  readonly #verifiedAt: Gauge

  constructor(registry: Registry) {
    this.#valid = new Gauge({
      name: 'conclave_audit_valid',
      help: 'Whether the audit trail was found complete and unchanged when it was verified last, by this process.',
      registers: [registry]
    })
    this.#verifiedAt = new Gauge({
      name: 'conclave_audit_verified_timestamp_seconds',
      help: 'When this process has verified the audit trail last.',
      registers: [registry]
    })
    // Nobody has looked yet: neither good nor bad.
    this.#valid.remove()
    this.#verifiedAt.remove()
  }

  verified(valid: boolean, at: Date): void {
    this.#valid.set(valid ? 1 : 0)
    this.#verifiedAt.set(at.getTime() / 1000)
  }
}
