import { z } from 'zod'
import type { TracingOptions } from './tracing/start-tracing.js'

/** The variables of the environment that set it. Others of OpenTelemetry's the exporter reads for itself. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .refine(
      (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
      'must be an https:// or http:// URL'
    )
    .optional(),
  OTEL_SERVICE_NAME: z.string().default('conclave'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a number from 0 to 1')
    .transform(Number)
    .default(1)
}

type Variables = z.infer<z.ZodObject<typeof tracingVariables>>

/** @returns null: there are no traces */
export function tracingOf(env: Variables): TracingOptions | null {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT) return null
  return { serviceName: env.OTEL_SERVICE_NAME, share: env.OTEL_TRACES_SAMPLER_ARG }
}
