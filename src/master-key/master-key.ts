import type { PrivateKeyContext } from '../crypto/associated-data.js'
import type { MasterKeyError } from './master-key-error.js'

/**
 * A master key wraps the private halves of conversation keys. Providers differ in where the key lies; what they
 * wrap is the same: DER PKCS#8, bound to the key's id and the fingerprint of its public half. Nothing of the master
 * key itself is bound, since it changes under a private key that does not.
 *
 * Every method that speaks to a service throws MasterKeyError when the call as a whole fails: UNREACHABLE (again
 * later) or REFUSED (credentials, policy, a key that is missing or of the wrong kind). No error holds key bytes.
 */
export interface MasterKey {
  /** Identity, as stored beside every key wrapped by it: "local:2026-11", "vault:transit/conclave". */
  readonly uri: string
  /** The service's own version of the key that wraps now: "v3", a key's ARN; null where there are none. */
  version(): Promise<string | null>
  /** All of them, in order, or none: the first that cannot be wrapped fails the call. */
  wrap(keys: readonly PrivateKeyToWrap[], options?: CallOptions): Promise<Wrapping[]>
  /**
   * @returns in order, for each key DER PKCS#8, which the caller overwrites after use, or why that one key could
   *   not be unwrapped: WRONG_KEY, DAMAGED, or REFUSED where the service refuses this one
   */
  unwrap(keys: readonly WrappedPrivateKey[], options?: CallOptions): Promise<(Buffer | MasterKeyError)[]>
  /**
   * How the service itself moves what `from` has wrapped to this key's present version, no plaintext leaving it.
   * Null where it cannot: then unwrap with `from` and wrap with this one.
   */
  rewrapFrom(from: MasterKey): Promise<Rewrap | null>
  /** Looks whether the key can be used now. Throws MasterKeyError when not. */
  check(): Promise<void>
  close(): Promise<void>
}

export interface PrivateKeyToWrap {
  /** DER PKCS#8. Not changed, and not kept. */
  privateKey: Uint8Array
  context: PrivateKeyContext
}

export interface WrappedPrivateKey {
  /** Envelope, as `wrap` returned it. */
  wrapped: Uint8Array
  context: PrivateKeyContext
}

export interface Wrapping {
  /** Envelope `format ‖ suite ‖ payload`; the payload is the provider's own. */
  wrapped: Buffer
  /** The service's version of the key that it lies under; null where there are none. */
  version: string | null
}

/** In order, as `unwrap`: what could not be moved is an error of its own, and does not stop the rest. */
export type Rewrap = (
  keys: readonly WrappedPrivateKey[],
  options?: CallOptions
) => Promise<(Wrapping | MasterKeyError)[]>

export interface CallOptions {
  /** A rewrap's calls yield to those of requests, where a service is used at a bounded rate. */
  background?: boolean
  /** Aborts what the call has under way. */
  signal?: AbortSignal
}
