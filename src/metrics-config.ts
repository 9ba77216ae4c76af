import { z } from 'zod'
import { milliseconds } from './duration-variable.js'
import { isThisMachine } from './this-machine.js'
import { wholeNumber } from './whole-number.js'

/** Where metrics are read, and by whom. */
export interface MetricsConfig {
  /** Port of their own for metrics and probes; null: none. */
  metricsPort: number | null
  metricsHost: string
  /** What has to be sent to read them; null: nothing. */
  metricsToken: string | null
  /** Whether `/metrics` is beside `/graphql` as well. */
  metricsBesideGraphql: boolean
  /** Between two countings of the keys in the database, at least. */
  metricsCountEveryMs: number
}

/** The variables of the environment that set them. */
export const metricsVariables = {
  METRICS_HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: wholeNumber(0, 65535).optional(),
  METRICS_TOKEN: z
    .string()
    .refine((token) => /^[\x21-\x7e]{16,}$/.test(token), 'must have at least 16 characters, and no spaces')
    .optional(),
  METRICS_COUNT_EVERY: milliseconds.default(30_000)
}

type Variables = z.infer<z.ZodObject<typeof metricsVariables>>

/**
 * Whoever reaches the port of the API may be anybody: there they need a token, but for a server of development that
 * only its own machine reaches.
 */
export function metricsConfigOf(env: Variables, host: string, production: boolean): MetricsConfig {
  const token = env.METRICS_TOKEN ?? null
  return {
    metricsPort: env.METRICS_PORT ?? null,
    metricsHost: env.METRICS_HOST,
    metricsToken: token,
    metricsBesideGraphql: token !== null || (!production && isThisMachine(host)),
    metricsCountEveryMs: env.METRICS_COUNT_EVERY
  }
}
