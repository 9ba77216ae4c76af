import { Counter, Histogram, type Registry } from 'prom-client'
import { SLOW_SECONDS } from './buckets.js'

/** What the workers do. The label is not called `job`: Prometheus has its own of that name, for what it scrapes. */
export class JobMetrics {
  readonly #duration: Histogram<'job_name'>
  readonly #failures: Counter<'job_name'>

  constructor(registry: Registry) {
    this.#duration = new Histogram({
      name: 'conclave_job_duration_seconds',
      help: 'Runs of jobs, those that failed included.',
      labelNames: ['job_name'],
      buckets: SLOW_SECONDS,
      registers: [registry]
    })
    this.#failures = new Counter({
      name: 'conclave_job_failures_total',
      help: 'Runs of jobs that failed.',
      labelNames: ['job_name'],
      registers: [registry]
    })
  }

  /** From here on they are there, as zero: the first failure is an increase. */
  expect(names: readonly string[]): void {
    for (const name of names) {
      this.#failures.inc({ job_name: name }, 0)
      this.#duration.zero({ job_name: name })
    }
  }

  /** Runs a job and counts it. @param name one of a bounded number */
  async measure(name: string, run: () => Promise<void>): Promise<void> {
    const startedAt = performance.now()
    try {
      await run()
    } catch (error) {
      this.#failures.inc({ job_name: name })
      throw error
    } finally {
      this.#duration.observe({ job_name: name }, (performance.now() - startedAt) / 1000)
    }
  }
}
