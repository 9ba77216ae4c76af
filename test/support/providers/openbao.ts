import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch } from 'undici'
import { freePort } from '../program.js'
import { StartedProcess } from '../started-process.js'
import { openbaoCommand } from './provider-tools.js'

export const hasOpenBao = openbaoCommand !== null

const ROOT_TOKEN = 'root-of-the-tests'

export interface OpenBaoOptions {
  /** A certificate of its own, for 127.0.0.1. */
  tls?: boolean
}

/** A real OpenBao in dev mode, in memory, for one test file. */
export class OpenBao {
  readonly #process: StartedProcess
  readonly #folder: string

  private constructor(
    process: StartedProcess,
    folder: string,
    readonly port: number,
    readonly url: string
  ) {
    this.#process = process
    this.#folder = folder
  }

  static async start({ tls = false }: OpenBaoOptions = {}): Promise<OpenBao> {
    if (!openbaoCommand) throw new Error('OpenBao is not installed')
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'conclave-openbao-'))
    const args = ['server', tls ? '-dev-tls' : '-dev', `-dev-root-token-id=${ROOT_TOKEN}`, '-dev-no-store-token']
    if (tls) args.push(`-dev-tls-cert-dir=${folder}`)
    const log = join(folder, 'log')
    const server = new StartedProcess(openbaoCommand, [...args, `-dev-listen-address=127.0.0.1:${port}`], log, {
      HOME: folder
    })
    const bao = new OpenBao(server, folder, port, `${tls ? 'https' : 'http'}://127.0.0.1:${port}`)
    await server.untilReady(() => bao.api('GET', 'sys/mounts'))
    return bao
  }

  get rootToken(): string {
    return ROOT_TOKEN
  }

  /** Of the authority that has signed its certificate. */
  get caFile(): string {
    return join(this.#folder, 'vault-ca.pem')
  }

  /** As root. Throws what OpenBao says when it refuses. */
  async api<Data = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
    { token = ROOT_TOKEN, namespace = '' } = {}
  ): Promise<Data> {
    const dispatcher = new Agent(this.url.startsWith('https') ? { connect: { ca: readFileSync(this.caFile) } } : {})
    const response = await fetch(`${this.url}/v1/${path}`, {
      method,
      dispatcher,
      headers: { 'x-vault-token': token, ...(namespace ? { 'x-vault-namespace': namespace } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {})
    })
    const text = await response.text()
    await dispatcher.close()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text ? JSON.parse(text) : {}) as Data
  }

  async makeTransitKey(mount: string, key: string, options: object = {}, namespace = ''): Promise<void> {
    const mounts = await this.api('GET', 'sys/mounts', undefined, { namespace })
    if (!(`${mount}/` in mounts)) await this.api('POST', `sys/mounts/${mount}`, { type: 'transit' }, { namespace })
    await this.api('POST', `${mount}/keys/${key}`, options, { namespace })
  }

  /** A policy for what Conclave needs of one Transit key, as the documentation gives it. */
  async makePolicy(name: string, mount: string, key: string, namespace = ''): Promise<void> {
    const rules = [
      `path "${mount}/keys/${key}" { capabilities = ["read"] }`,
      ...['encrypt', 'decrypt', 'rewrap'].map((name) => `path "${mount}/${name}/${key}" { capabilities = ["update"] }`)
    ]
    await this.api('POST', `sys/policies/acl/${name}`, { policy: rules.join('\n') }, { namespace })
  }

  /** A token under policies; by default it lives for an hour. */
  async makeToken(policies: string[], options: object = {}): Promise<string> {
    const body = { policies, ttl: '1h', ...options }
    return (await this.api<{ auth: { client_token: string } }>('POST', 'auth/token/create', body)).auth.client_token
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    rmSync(this.#folder, { recursive: true })
  }
}
