import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateAliasCommand, CreateKeyCommand, KMSClient, UpdateAliasCommand } from '@aws-sdk/client-kms'
import { freePort } from '../program.js'
import { StartedProcess } from '../started-process.js'
import { motoCommand } from './provider-tools.js'

export const hasMoto = motoCommand !== null

export interface AccessKey {
  accessKeyId: string
  secretAccessKey: string
}

export const REGION = 'eu-central-1'
/** Good for everything while moto checks no signatures. */
export const ANYBODY: AccessKey = { accessKeyId: 'anybody', secretAccessKey: 'of the tests' }

/** A moto server, in the place of AWS KMS and IAM, in memory, for one test file. */
export class Moto {
  readonly #process: StartedProcess
  readonly #folder: string
  readonly #client: KMSClient

  private constructor(
    process: StartedProcess,
    folder: string,
    readonly port: number
  ) {
    this.#process = process
    this.#folder = folder
    this.#client = new KMSClient({ region: REGION, endpoint: this.url, credentials: ANYBODY })
  }

  static async start(): Promise<Moto> {
    if (!motoCommand) throw new Error('moto is not installed')
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'conclave-moto-'))
    const server = new StartedProcess(motoCommand, ['-H', '127.0.0.1', '-p', String(port)], join(folder, 'log'))
    const moto = new Moto(server, folder, port)
    await server.untilReady(() => fetch(`${moto.url}/moto-api/data.json`))
    return moto
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** @returns its ARN */
  async makeKey(alias?: string): Promise<string> {
    const { KeyMetadata } = await this.#client.send(new CreateKeyCommand({}))
    if (alias) await this.#client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: KeyMetadata?.KeyId }))
    return KeyMetadata?.Arn ?? ''
  }

  async moveAlias(alias: string, keyArn: string): Promise<void> {
    await this.#client.send(new UpdateAliasCommand({ AliasName: alias, TargetKeyId: keyArn }))
  }

  /** A user of IAM who may do everything with KMS. */
  async makeUser(name: string): Promise<AccessKey> {
    const Statement = [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }]
    await this.#iam({ Action: 'CreateUser', UserName: name })
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
    await this.#iam({ Action: 'PutUserPolicy', UserName: name, PolicyName: 'kms', PolicyDocument })
    const made = await this.#iam({ Action: 'CreateAccessKey', UserName: name })
    const field = (tag: string) => new RegExp(`<${tag}>([^<]+)<`).exec(made)?.[1] ?? ''
    return { accessKeyId: field('AccessKeyId'), secretAccessKey: field('SecretAccessKey') }
  }

  async removeUsersKey(name: string, { accessKeyId }: AccessKey): Promise<void> {
    await this.checkSignatures(false)
    await this.#iam({ Action: 'DeleteAccessKey', UserName: name, AccessKeyId: accessKeyId })
    await this.checkSignatures(true)
  }

  /** Left to itself moto takes every credential. */
  async checkSignatures(check: boolean): Promise<void> {
    const headers = { 'content-type': 'text/plain' }
    await fetch(`${this.url}/moto-api/reset-auth`, { method: 'POST', headers, body: check ? '0' : 'inf' })
  }

  async stop(): Promise<void> {
    this.#client.destroy()
    await this.#process.stop()
    rmSync(this.#folder, { recursive: true })
  }

  async #iam(fields: Record<string, string>): Promise<string> {
    // moto reads from the scope which service is meant, and checks no more of it here.
    const authorization =
      'AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0'
    const body = new URLSearchParams({ ...fields, Version: '2010-05-08' })
    const response = await fetch(this.url, { method: 'POST', headers: { authorization }, body })
    if (!response.ok) throw new Error(`${fields.Action}: ${response.status} ${await response.text()}`)
    return await response.text()
  }
}
