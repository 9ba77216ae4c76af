import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as OTLP has it in JSON, as far as it is looked at. */
export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  links?: { traceId: string; spanId: string }[]
}

interface ExportRequest {
  resourceSpans: { scopeSpans: { spans: ReceivedSpan[] }[] }[]
}

/** A collector of traces: what a process with OTEL_EXPORTER_OTLP_ENDPOINT sends to. */
export class TraceReceiver {
  readonly url: string
  readonly #close: () => Promise<void>
  readonly #requests: string[]
  /** Headers of those that were refused. */
  readonly refused: string[]

  private constructor(url: string, requests: string[], refused: string[], close: () => Promise<void>) {
    this.url = url
    this.refused = refused
    this.#requests = requests
    this.#close = close
  }

  /** @param refusing how many requests are refused first, in the words of their headers; what was in them is received all the same */
  static async start(refusing = 0): Promise<TraceReceiver> {
    const requests: string[] = []
    const refused: string[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        if (request.url === '/v1/traces') requests.push(body)
        if (refused.length >= refusing) return response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
        refused.push(JSON.stringify(request.headers))
        response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ message: refused.at(-1) }))
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return new TraceReceiver(`http://127.0.0.1:${port}`, requests, refused, async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
  }

  /** Everything that was received, as it came. */
  get text(): string {
    return this.#requests.join('\n')
  }

  get spans(): ReceivedSpan[] {
    return this.#requests.flatMap((request) =>
      (JSON.parse(request) as ExportRequest).resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => spans)
      )
    )
  }

  /** Those of the trace that a span of this name belongs to; of several the last. */
  traceOf(name: string): ReceivedSpan[] {
    const { spans } = this
    const traceId = spans.findLast((span) => span.name === name)?.traceId
    return spans.filter((span) => span.traceId === traceId)
  }

  async stop(): Promise<void> {
    await this.#close()
  }
}
