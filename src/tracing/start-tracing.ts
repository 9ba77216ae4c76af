import { context, propagation, trace } from '@opentelemetry/api'
import { switchTracingOn } from './traced.js'

export interface TracingOptions {
  serviceName: string
  /** Of the traces that begin here, from 0 to 1. */
  share: number
}

/**
 * Sends spans to a collector, over OTLP in JSON. Where that is, and what is sent beside them, the exporter reads from the
 * variables that OpenTelemetry has for it: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and others. What
 * does all this is loaded here and nowhere else. Once in a process.
 *
 * @returns what sends the last of them, and ends it
 */
export async function startTracing({ serviceName, share }: TracingOptions): Promise<() => Promise<void>> {
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }, contexts, core] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/core')
  ])
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })]
  })
  context.setGlobalContextManager(new contexts.AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new core.W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  switchTracingOn()
  return () => provider.shutdown()
}
