import { Agent, type Dispatcher } from 'undici'
import { MasterKeyError } from '../master-key-error.js'

export interface VaultAddress {
  url: URL
  namespace: string | null
  /** PEM of the authorities to trust, in place of the system's. */
  ca: string | null
  /** For one request, from its beginning to the last byte of its answer. */
  timeoutMs: number
}

export interface VaultRequest {
  method: 'GET' | 'POST'
  /** Below /v1, every segment encoded. */
  path: string
  token: string | null
  body?: object
  signal?: AbortSignal
}

export interface VaultAnswer {
  status: number
  /** Parsed JSON; null where there is none. */
  body: unknown
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Sealed, standby without forwarding, overloaded, behind a broken proxy, sent elsewhere: all of it passes. */
const PASSING = new Set([307, 308, 412, 429, 472, 473])

/** Speaks JSON with Vault or OpenBao (HTTP API, version 1), with a time limit on everything. */
export class VaultHttp {
  readonly #address: VaultAddress
  readonly #agent: Agent

  constructor(address: VaultAddress) {
    this.#address = address
    this.#agent = new Agent({
      connect: { timeout: address.timeoutMs, ...(address.ca === null ? {} : { ca: address.ca }) },
      maxResponseSize: MAX_ANSWER_BYTES
    })
  }

  /**
   * @param uri of the master key that it is for
   * @throws MasterKeyError UNREACHABLE when there is no answer in time, or one that says "later"
   */
  async send(uri: string, request: VaultRequest): Promise<VaultAnswer> {
    const { status, body } = await this.#exchange(uri, request)
    if (status >= 500 || PASSING.has(status)) throw new MasterKeyError('UNREACHABLE', uri, `answered ${status}`)
    return { status, body }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #exchange(uri: string, { method, path, token, body, signal }: VaultRequest): Promise<VaultAnswer> {
    const { url, timeoutMs } = this.#address
    const limit = AbortSignal.timeout(timeoutMs)
    try {
      const response = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname.replace(/\/$/, '')}/v1/${path}`,
        method,
        headers: this.#headers(token),
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, limit]) : limit
      })
      return { status: response.statusCode, body: await parse(response) }
    } catch (error) {
      throw new MasterKeyError('UNREACHABLE', uri, limit.aborted ? 'no answer in time' : `no answer (${codeOf(error)})`)
    }
  }

  #headers(token: string | null): Record<string, string> {
    const { namespace } = this.#address
    return {
      'content-type': 'application/json',
      'x-vault-request': 'true',
      ...(token === null ? {} : { 'x-vault-token': token }),
      ...(namespace === null ? {} : { 'x-vault-namespace': namespace })
    }
  }
}

/** The bytes are overwritten once they are text; the text itself is out of our hands until it is collected. */
async function parse(response: Dispatcher.ResponseData): Promise<unknown> {
  const bytes = Buffer.from(await response.body.arrayBuffer())
  try {
    return bytes.length === 0 ? null : JSON.parse(bytes.toString('utf8'))
  } catch {
    // A proxy's own page: the status says what there is to know.
    return null
  } finally {
    bytes.fill(0)
  }
}

/** A code of Node or undici, such as ECONNREFUSED; its message may hold addresses. */
function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: string }
  return typeof code === 'string' ? code : (name ?? 'unknown')
}
