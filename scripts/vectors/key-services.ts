import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { AwsKmsMasterKey } from '../../src/master-key/aws-kms/aws-kms-master-key.js'
import type { KmsCalls } from '../../src/master-key/aws-kms/kms-calls.js'
import type { VaultAnswer, VaultRequest } from '../../src/master-key/vault/vault-http.js'
import { VaultMasterKey } from '../../src/master-key/vault/vault-master-key.js'
import type { VaultSession } from '../../src/master-key/vault/vault-session.js'

/**
 * Stand-ins for the key services, which open with a key that is known what was wrapped once. What a service puts into its
 * ciphertext is its own affair: the format begins and ends outside of it.
 */

/** A Transit key of type aes256-gcm96. */
export class KnownTransit {
  readonly asked: Record<string, string>[] = []
  readonly #key: Buffer
  readonly #derived: boolean

  constructor(key: Buffer, derived: boolean) {
    this.#key = key
    this.#derived = derived
  }

  async send(_: string, { path, body }: Omit<VaultRequest, 'token'>): Promise<VaultAnswer> {
    if (!body)
      return { status: 200, body: { data: { type: 'aes256-gcm96', derived: this.#derived, latest_version: 1 } } }
    const items = (body as { batch_input: Record<string, string>[] }).batch_input
    this.asked.push(...items)
    const answer = path.includes('/encrypt/') ? this.#encrypt : this.#decrypt
    return { status: 200, body: { data: { batch_results: items.map((item) => answer.call(this, item)) } } }
  }

  async close(): Promise<void> {}

  #encrypt(item: Record<string, string>): Record<string, string> {
    const sealed = seal(this.#keyOf(item), base64(item.plaintext), base64(item.associated_data))
    return { ciphertext: `vault:v1:${sealed.toString('base64')}` }
  }

  #decrypt(item: Record<string, string>): Record<string, string> {
    try {
      const sealed = base64(item.ciphertext?.slice('vault:v1:'.length))
      return { plaintext: open(this.#keyOf(item), sealed, base64(item.associated_data)).toString('base64') }
    } catch {
      return { error: 'cipher: message authentication failed' }
    }
  }

  #keyOf({ context }: Record<string, string>): Buffer {
    if (!this.#derived) return this.#key
    return Buffer.from(hkdfSync('sha256', this.#key, Buffer.alloc(0), base64(context), 32))
  }
}

interface KmsInput {
  KeyId: string
  Plaintext?: Uint8Array
  CiphertextBlob?: Uint8Array
  EncryptionContext: Record<string, string>
}

/** A symmetric key of AWS KMS, and what the name of the master key means by now. */
export class KnownKms {
  readonly asked: KmsInput[] = []
  readonly #key: Buffer
  readonly #arn: string
  readonly #describedArn: string

  constructor(key: Buffer, arn: string, describedArn: string) {
    this.#key = key
    this.#arn = arn
    this.#describedArn = describedArn
  }

  async run(send: (client: object, options: object) => Promise<unknown>): Promise<unknown> {
    return await send({ send: async ({ input }: { input: KmsInput }) => this.#answer(input) }, {})
  }

  async close(): Promise<void> {}

  #answer(input: KmsInput): object {
    const { Plaintext, CiphertextBlob, EncryptionContext } = input
    if (!EncryptionContext) return { KeyMetadata: { Arn: this.#describedArn, KeySpec: 'SYMMETRIC_DEFAULT' } }
    const bound = Buffer.from(JSON.stringify(EncryptionContext))
    if (Plaintext) return { KeyId: this.#arn, CiphertextBlob: seal(this.#key, Plaintext, bound) }
    this.asked.push(input)
    try {
      if (input.KeyId !== this.#arn) throw new Error('another key')
      return { Plaintext: open(this.#key, CiphertextBlob ?? Buffer.alloc(0), bound) }
    } catch {
      throw Object.assign(new Error('not a ciphertext of this key'), { name: 'InvalidCiphertextException' })
    }
  }
}

/** The application's own master key before a stand-in. @param uri `vault:<mount>/<key>` */
export function vaultKey(uri: string, transit: KnownTransit): VaultMasterKey {
  const [mount = '', key = ''] = uri.slice('vault:'.length).split('/')
  return new VaultMasterKey(mount, key, transit as unknown as VaultSession)
}

/** @param uri `aws-kms:<key id, alias or ARN>` */
export function kmsKey(uri: string, kms: KnownKms): AwsKmsMasterKey {
  return new AwsKmsMasterKey(uri.slice('aws-kms:'.length), kms as unknown as KmsCalls)
}

function seal(key: Buffer, plaintext: Uint8Array, associatedData: Buffer): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
  cipher.setAAD(associatedData)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function open(key: Buffer, sealed: Uint8Array, associatedData: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(associatedData)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
}

function base64(text = ''): Buffer {
  return Buffer.from(text, 'base64')
}
