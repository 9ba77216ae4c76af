import { randomBytes, randomUUID } from 'node:crypto'
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, ReEncryptCommand } from '@aws-sdk/client-kms'
import type { PrivateKeyContext } from '../../crypto/associated-data.js'
import { askOnce } from '../ask-once.js'
import type { CallOptions, MasterKey, PrivateKeyToWrap, Rewrap, WrappedPrivateKey, Wrapping } from '../master-key.js'
import { MasterKeyError } from '../master-key-error.js'
import { proveRoundTrip } from '../prove-round-trip.js'
import { allAtOnce } from './all-at-once.js'
import type { KmsCalls, KmsRequest } from './kms-calls.js'
import { decodeKmsEnvelope, encodeKmsEnvelope, homeOf, isKeyArn, type KmsCiphertext } from './kms-envelope.js'
import { ciphertextFailure, isDenied, kmsFailure } from './kms-failure.js'

export const AWS_KMS_SCHEME = 'aws-kms'

type RunOnCiphertext<T> = (ciphertext: KmsCiphertext, context: PrivateKeyContext, options: CallOptions) => Promise<T>

/** One ciphertext is denied; whether the master key as a whole is remains to be seen. */
class Denied extends MasterKeyError {
  readonly concerns = 'one ciphertext'
}

/**
 * `aws-kms:<key id, alias or ARN>`: a symmetric key of AWS KMS. The context of a private key is bound as the
 * EncryptionContext; what the key was at the time is kept in the envelope, so that an alias can be moved.
 */
export class AwsKmsMasterKey implements MasterKey {
  readonly uri: string
  readonly #keyId: string
  readonly #calls: KmsCalls
  /** ARN at first sight: its account and region do not change, and without an alias nor does the rest. */
  readonly #arn = askOnce(() => this.version())

  /** @param keyId key id, `alias/…` or ARN */
  constructor(keyId: string, calls: KmsCalls) {
    this.uri = `${AWS_KMS_SCHEME}:${keyId}`
    this.#keyId = keyId
    this.#calls = calls
  }

  /** ARN of the key that the URI names now. */
  async version(): Promise<string> {
    const command = new DescribeKeyCommand({ KeyId: this.#keyId })
    const { KeyMetadata: key } = await this.#run((client, options) => client.send(command, options), {})
    if (!key?.Arn || !isKeyArn(key.Arn) || key.KeySpec !== 'SYMMETRIC_DEFAULT')
      throw new MasterKeyError('REFUSED', this.uri, 'not a symmetric key: make one with KeySpec SYMMETRIC_DEFAULT')
    return key.Arn
  }

  async wrap(keys: readonly PrivateKeyToWrap[], options: CallOptions = {}): Promise<Wrapping[]> {
    return await allAtOnce(keys, options, async ({ privateKey, context }, signalled) => {
      const command = new EncryptCommand({
        KeyId: this.#keyId,
        Plaintext: privateKey,
        EncryptionContext: encryptionContext(context)
      })
      return this.#wrapping(await this.#run((client, sending) => client.send(command, sending), signalled))
    })
  }

  async unwrap(keys: readonly WrappedPrivateKey[], options: CallOptions = {}): Promise<(Buffer | MasterKeyError)[]> {
    const origin = { uri: this.uri, arn: this.#arn, key: this }
    return await this.#eachCiphertext(keys, origin, options, async (...one) => await this.#decrypt(...one))
  }

  /** From any key of the same account and region. */
  async rewrapFrom(from: MasterKey): Promise<Rewrap | null> {
    if (!from.uri.startsWith(`${AWS_KMS_SCHEME}:`)) return null
    const arn = (await from.version()) ?? ''
    if (homeOf(arn) !== homeOf(await this.#arn())) return null
    const origin = { uri: from.uri, arn: async () => arn, key: from }
    return async (keys, options = {}) =>
      await this.#eachCiphertext(keys, origin, options, async (...one) => await this.#reEncrypt(...one))
  }

  async check(): Promise<void> {
    await this.version()
    await proveRoundTrip(this)
  }

  async close(): Promise<void> {
    await this.#calls.close()
  }

  async #decrypt({ keyArn, ciphertextBlob }: KmsCiphertext, context: PrivateKeyContext, options: CallOptions) {
    const command = new DecryptCommand({
      KeyId: keyArn,
      CiphertextBlob: ciphertextBlob,
      EncryptionContext: encryptionContext(context)
    })
    const { Plaintext: bytes } = await this.#runOnCiphertext(
      (client, sending) => client.send(command, sending),
      options
    )
    if (!bytes?.length) throw new MasterKeyError('DAMAGED', this.uri, 'KMS answered without a plaintext')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  async #reEncrypt({ keyArn, ciphertextBlob }: KmsCiphertext, context: PrivateKeyContext, options: CallOptions) {
    const command = new ReEncryptCommand({
      SourceKeyId: keyArn,
      DestinationKeyId: this.#keyId,
      CiphertextBlob: ciphertextBlob,
      SourceEncryptionContext: encryptionContext(context),
      DestinationEncryptionContext: encryptionContext(context)
    })
    return this.#wrapping(await this.#runOnCiphertext((client, sending) => client.send(command, sending), options))
  }

  /**
   * Runs it on what `from` has just wrapped. Not by `unwrap`, which would ask for a proof again.
   *
   * @throws MasterKeyError REFUSED where a policy does not let this key do that at all
   */
  async #prove(from: MasterKey, options: CallOptions, run: RunOnCiphertext<unknown>): Promise<void> {
    const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
    const [probe] = await from.wrap([{ privateKey: randomBytes(32), context }], options)
    const ciphertext = probe && decodeKmsEnvelope(probe.wrapped)
    if (!ciphertext) throw new MasterKeyError('REFUSED', from.uri, 'does not wrap')
    await run(ciphertext, context, options)
  }

  #wrapping({
    KeyId,
    CiphertextBlob
  }: {
    KeyId?: string | undefined
    CiphertextBlob?: Uint8Array | undefined
  }): Wrapping {
    if (!KeyId || !isKeyArn(KeyId) || !CiphertextBlob?.length)
      throw new MasterKeyError('REFUSED', this.uri, 'KMS answered without a ciphertext and the ARN of its key')
    return { wrapped: encodeKmsEnvelope({ keyArn: KeyId, ciphertextBlob: CiphertextBlob }), version: KeyId }
  }

  /** Unwraps or moves each of them; what concerns one of them is its result, what concerns all of them is thrown. */
  async #eachCiphertext<T>(
    keys: readonly WrappedPrivateKey[],
    origin: { uri: string; arn: () => Promise<string>; key: MasterKey },
    options: CallOptions,
    run: RunOnCiphertext<T>
  ): Promise<(T | MasterKeyError)[]> {
    if (keys.length === 0) return []
    const arn = await origin.arn()
    const results = await allAtOnce(keys, options, async ({ wrapped, context }, signalled) => {
      const ciphertext = decodeKmsEnvelope(wrapped)
      if (!ciphertext) return new MasterKeyError('DAMAGED', this.uri, 'not an envelope of AWS KMS')
      if (!mayHaveWrapped(origin.uri, arn, ciphertext.keyArn))
        return new MasterKeyError('WRONG_KEY', this.uri, 'another KMS key has encrypted it')
      return await run(ciphertext, context, signalled).catch(resultOfOne)
    })
    return await this.#settleDenied(results, async () => await this.#prove(origin.key, options, run))
  }

  /** A denial may be meant for the master key or for one ciphertext. If what was denied works at all, it is the latter. */
  async #settleDenied<T>(results: (T | MasterKeyError)[], prove: () => Promise<void>): Promise<(T | MasterKeyError)[]> {
    if (!results.some((result) => result instanceof Denied)) return results
    await prove()
    const wrongKey = () =>
      new MasterKeyError('WRONG_KEY', this.uri, 'KMS denies this one: another key has encrypted it')
    return results.map((result) => (result instanceof Denied ? wrongKey() : result))
  }

  async #run<R>(send: KmsRequest<R>, options: CallOptions): Promise<R> {
    try {
      return await this.#calls.run(send, options)
    } catch (error) {
      throw kmsFailure(this.uri, error)
    }
  }

  async #runOnCiphertext<R>(send: KmsRequest<R>, options: CallOptions): Promise<R> {
    try {
      return await this.#calls.run(send, options)
    } catch (error) {
      if (isDenied(error)) throw new Denied('REFUSED', this.uri, `KMS refuses (${(error as Error).name})`)
      throw ciphertextFailure(this.uri, error) ?? kmsFailure(this.uri, error)
    }
  }
}

/**
 * An alias may have named any key of its account. Whoever can write to the database must not have a private key of
 * theirs opened by a key of an account of theirs.
 */
function mayHaveWrapped(uri: string, arn: string, keyArn: string): boolean {
  return keyArn === arn || (uri.includes(':alias/') && homeOf(keyArn) === homeOf(arn))
}

function encryptionContext({ keyId, fingerprint }: PrivateKeyContext): Record<string, string> {
  return { keyId, fingerprint: Buffer.from(fingerprint).toString('hex') }
}

/** What is wrong with one key stands in its place; an outage or a refusal ends the call. */
function resultOfOne(error: unknown): MasterKeyError {
  if (error instanceof Denied) return error
  if (error instanceof MasterKeyError && (error.kind === 'WRONG_KEY' || error.kind === 'DAMAGED')) return error
  throw error
}
