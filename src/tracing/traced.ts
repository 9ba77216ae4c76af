import {
  type Attributes,
  context,
  isSpanContextValid,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Context as TraceContext,
  trace
} from '@opentelemetry/api'

/**
 * Spans say what is done and how long it takes: names of operations and statements, and numbers. Never a text, an id, a
 * value, or the words of an error.
 */
const tracer = trace.getTracer('conclave')
let isOn = false

/** Called once somebody takes the spans. Until then nothing here costs more than to ask whether somebody does. */
export function switchTracingOn(): void {
  isOn = true
}

interface SpanDetails {
  kind?: SpanKind
  attributes?: Attributes
}

/** Does a part of something that is traced: in a span of its own, below that in which it is called. */
export function traced<T>(name: string, details: SpanDetails, work: () => Promise<T>): Promise<T> {
  if (!isOn || !isTraced(context.active())) return work()
  return tracedBelow([context.active()], name, details, work)
}

/** The same for what somebody has asked for: where it is part of no trace, it begins one. */
export function tracedRequest<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (!isOn) return work()
  const kind = isTraced(context.active()) ? SpanKind.INTERNAL : SpanKind.SERVER
  return tracedBelow([context.active()], name, { kind }, work)
}

/** Where in a trace something is; undefined where it is part of none. */
export type TracePlace = TraceContext | undefined

export function currentPlace(): TracePlace {
  return isOn && isTraced(context.active()) ? context.active() : undefined
}

/**
 * Does a part of several things that are traced. It stands in the trace of the first; those of the others have a span of
 * the same time, with a link to it.
 */
export function tracedForAll<T>(
  places: readonly TracePlace[],
  name: string,
  details: SpanDetails,
  work: () => Promise<T>
): Promise<T> {
  if (!isOn) return work()
  const known = places.filter((place) => place !== undefined)
  // In no trace at all, rather than in that of whoever has made what is called here.
  return known.length === 0
    ? context.with(trace.deleteSpan(context.active()), work)
    : tracedBelow(known, name, details, work)
}

async function tracedBelow<T>(
  [first, ...others]: readonly TraceContext[],
  name: string,
  details: SpanDetails,
  work: () => Promise<T>
): Promise<T> {
  const place = first ?? context.active()
  const span = tracer.startSpan(name, details, place)
  const links = [{ context: span.spanContext() }]
  const spans = [span, ...others.map((other) => tracer.startSpan(name, { ...details, links }, other))]
  try {
    return await context.with(trace.setSpan(place, span), work)
  } catch (error) {
    for (const failed of spans) failed.setStatus({ code: SpanStatusCode.ERROR })
    throw error
  } finally {
    for (const ended of spans) ended.end()
  }
}

/** An HTTP request: a span that is ended by whoever has answered it. */
export interface RequestSpan {
  within(work: () => void): void
  end(status: number): void
}

/**
 * @param headers of the request where they are believed: the trace that they name is gone on with
 * @returns null without tracing
 */
export function startRequestSpan(name: string, headers: object | null): RequestSpan | null {
  if (!isOn) return null
  const above = headers ? propagation.extract(context.active(), headers) : context.active()
  const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, above)
  return {
    within: (work) => context.with(trace.setSpan(above, span), work),
    end(status) {
      span.setAttribute('http.response.status_code', status)
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
  }
}

/** A message to other processes, to be ended once it has been sent; null where it is part of no trace. */
export function startSending(name: string): Span | null {
  return isOn && isTraced(context.active()) ? tracer.startSpan(name, { kind: SpanKind.PRODUCER }) : null
}

/** As W3C's Trace Context writes it, for another process. */
export function traceParentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`
}

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/

/** The reverse; undefined without tracing, and for what is none. */
export function placeOf(traceParent: string): TracePlace {
  const [, traceId = '', spanId = ''] = (isOn && TRACE_PARENT.exec(traceParent)) || []
  const spanContext = { traceId, spanId, traceFlags: 1, isRemote: true }
  return isSpanContextValid(spanContext)
    ? trace.setSpanContext(trace.deleteSpan(context.active()), spanContext)
    : undefined
}

function isTraced(place: TraceContext): boolean {
  return trace.getSpan(place)?.isRecording() ?? false
}
