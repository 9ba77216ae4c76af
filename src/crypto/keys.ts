import { createSecretKey, type KeyObject, randomBytes, type webcrypto } from 'node:crypto'

declare const brand: unique symbol

/** AES-256 key that encrypts a run of messages of one conversation (a DEK). */
export type DataKey = KeyObject & { readonly [brand]: 'DataKey' }
/** AES-256 key that encrypts one export. */
export type ContentKey = KeyObject & { readonly [brand]: 'ContentKey' }
/** Public half of a conversation key version: wraps data keys. */
export type PublicKey = KeyObject & { readonly [brand]: 'PublicKey' }
/** Private half of a conversation key version: unwraps data keys, and cannot be exported. */
export type PrivateKey = webcrypto.CryptoKey & { readonly [brand]: 'PrivateKey' }
/** 256-bit secret from which the `local:` master key derives its wrapping keys (a KEK). */
export type MasterSecret = KeyObject & { readonly [brand]: 'MasterSecret' }

const KEY_BYTES = 32

/** A fresh AES-256 data key from the operating system's random source. */
export function generateDataKey(): DataKey {
  return secretKey(randomBytes(KEY_BYTES)) as DataKey
}

/** Takes over 32 bytes as a data key and overwrites the bytes it was given. */
export function dataKeyFrom(bytes: Uint8Array): DataKey {
  return secretKey(bytes) as DataKey
}

/** Takes over 32 bytes as the key of an export and overwrites the bytes it was given. */
export function contentKeyFrom(bytes: Uint8Array): ContentKey {
  return secretKey(bytes) as ContentKey
}

/** Takes over 32 bytes as a master secret and overwrites the bytes it was given. */
export function masterSecretFrom(bytes: Uint8Array): MasterSecret {
  return secretKey(bytes) as MasterSecret
}

function secretKey(bytes: Uint8Array): KeyObject {
  try {
    if (bytes.length !== KEY_BYTES) throw new RangeError(`a 256-bit key has ${KEY_BYTES} bytes`)
    return createSecretKey(bytes)
  } finally {
    bytes.fill(0)
  }
}

/** Lends out the raw bytes of a secret key for the length of one call, then overwrites them. */
export function withSecretBytes<T>(key: DataKey | ContentKey | MasterSecret, use: (bytes: Buffer) => T): T {
  const bytes = (key as KeyObject).export()
  try {
    return use(bytes)
  } finally {
    bytes.fill(0)
  }
}
