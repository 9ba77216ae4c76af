import { z } from 'zod'
import { MasterKeyError } from '../master-key-error.js'
import type { VaultAnswer } from './vault-http.js'

const item = z.object({
  error: z.string().optional(),
  ciphertext: z.string().optional(),
  plaintext: z.string().optional()
})
export type TransitItem = z.infer<typeof item>

const batchAnswer = z.object({ data: z.object({ batch_results: z.array(item) }) })
const keyAnswer = z.object({
  data: z.object({
    type: z.string(),
    derived: z.boolean().default(false),
    latest_version: z.int().positive()
  })
})

/** Transit's key types that authenticate what they encrypt, together with associated data. */
const AEAD_TYPES = ['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']

export interface TransitKey {
  /** With derivation the context of a private key is bound by it, and not as associated data. */
  derived: boolean
  latestVersion: number
}

/** @throws MasterKeyError REFUSED when there is no such key, or its type cannot bind a context */
export function readTransitKey(uri: string, { status, body }: VaultAnswer): TransitKey {
  if (status === 404)
    throw new MasterKeyError('REFUSED', uri, 'there is no such Transit key: make it, or mend MASTER_KEY')
  const answer = keyAnswer.safeParse(body)
  if (status !== 200 || !answer.success) throw unexpected(uri, status)
  const { type, derived, latest_version } = answer.data.data
  if (!AEAD_TYPES.includes(type))
    throw new MasterKeyError('REFUSED', uri, `the Transit key's type ${type} does not authenticate: use aes256-gcm96`)
  return { derived, latestVersion: latest_version }
}

/**
 * Vault gives a batch one status for all, and OpenBao 400 as soon as one item of a decryption fails: what counts is
 * each item's own result.
 *
 * @throws MasterKeyError REFUSED when there are no results of `length` items
 */
export function readBatch(uri: string, { status, body }: VaultAnswer, length: number): TransitItem[] {
  const answer = batchAnswer.safeParse(body)
  if (!answer.success) throw unexpected(uri, status)
  const results = answer.data.data.batch_results
  if (results.length !== length) throw new MasterKeyError('REFUSED', uri, 'Vault answered for another number of keys')
  return results
}

/** What Vault says of one ciphertext. Its words are matched and never passed on. */
export function transitFailure(uri: string, words: string): MasterKeyError {
  if (/too old/.test(words))
    return new MasterKeyError('REFUSED', uri, 'min_decryption_version excludes the version that this key lies under')
  if (/authentication failed|too new/.test(words))
    return new MasterKeyError('WRONG_KEY', uri, 'authentication failed: another Transit key, another key, or damage')
  return new MasterKeyError('DAMAGED', uri, 'not a ciphertext of Transit')
}

function unexpected(uri: string, status: number): MasterKeyError {
  return new MasterKeyError('REFUSED', uri, `Vault answered ${status}: look for the mount, the key and the policy`)
}
