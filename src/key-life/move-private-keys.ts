import { timingSafeEqual } from 'node:crypto'
import { DecryptionError } from '../crypto/errors.js'
import { fingerprintOfPrivateKey } from '../crypto/key-transport.js'
import { mapInTurns } from '../in-turns.js'
import type { CallOptions, MasterKey, WrappedPrivateKey, Wrapping } from '../master-key/master-key.js'
import { MasterKeyError } from '../master-key/master-key-error.js'

/** Parsing a private key takes 0.07 ms of the event loop, which others get in between. */
const PARSED_PER_TURN = 20

/** What a master key was given and did not give back: nothing may be trusted to it. */
export class UntrueWrapping extends Error {
  override readonly name = 'UntrueWrapping'

  constructor(readonly uri: string) {
    super(`master key ${uri} does not give back the private keys that it was given`)
  }
}

/**
 * Wraps private keys anew, from one master key to another or to a newer version of the same. Every new wrapping was
 * opened again and compared before this returns; the old ones are still what is stored.
 *
 * @returns in order, the new wrapping, or why the old one could not be opened
 * @throws MasterKeyError when either of the two is out of reach, or refuses
 * @throws UntrueWrapping when a new wrapping does not hold what it should
 */
export async function movePrivateKeys(
  from: MasterKey,
  to: MasterKey,
  keys: readonly WrappedPrivateKey[],
  stop: AbortSignal
): Promise<(Wrapping | MasterKeyError)[]> {
  // Its calls yield to those of requests.
  const options = { background: true, signal: stop }
  const rewrap = await to.rewrapFrom(from)
  if (!rewrap) return await unwrapAndWrap(from, to, keys, options)
  const moved = await rewrap(keys, options)
  if (moved.length !== keys.length) throw new UntrueWrapping(to.uri)
  await requireSamePublicHalves(to, openable(moved, keys), options)
  return moved
}

/** Through this process: the bytes are held for as long as it takes to compare them, and overwritten. */
async function unwrapAndWrap(
  from: MasterKey,
  to: MasterKey,
  keys: readonly WrappedPrivateKey[],
  options: CallOptions
): Promise<(Wrapping | MasterKeyError)[]> {
  const opened = await from.unwrap(keys, options)
  try {
    const plain = openable(opened, keys).map(({ result, context }) => ({ privateKey: result, context }))
    const wrapped = plain.length > 0 ? await to.wrap(plain, options) : []
    await requireSameBytes(to, plain, wrapped, options)
    const wrappings = wrapped.values()
    return opened.map((result) => (result instanceof MasterKeyError ? result : next(wrappings, to)))
  } finally {
    for (const bytes of opened) if (bytes instanceof Buffer) bytes.fill(0)
  }
}

function next(wrappings: Iterator<Wrapping>, to: MasterKey): Wrapping {
  const { value, done } = wrappings.next()
  if (done) throw new UntrueWrapping(to.uri)
  return value
}

type Opened<T> = WrappedPrivateKey & { result: T }

function openable<T>(results: readonly (T | MasterKeyError)[], keys: readonly WrappedPrivateKey[]): Opened<T>[] {
  return keys.flatMap((key, index) => {
    const result = results[index]
    return result === undefined || result instanceof MasterKeyError ? [] : [{ ...key, result }]
  })
}

async function requireSameBytes(
  to: MasterKey,
  plain: readonly { privateKey: Buffer; context: WrappedPrivateKey['context'] }[],
  wrapped: readonly Wrapping[],
  options: CallOptions
): Promise<void> {
  const again = await reopen(
    to,
    plain.map(({ context }, index) => ({ wrapped: wrapped[index]?.wrapped ?? Buffer.alloc(0), context })),
    options
  )
  try {
    plain.forEach(({ privateKey }, index) => {
      const bytes = again[index]
      const same = bytes?.length === privateKey.length && timingSafeEqual(bytes, privateKey)
      if (!same) throw new UntrueWrapping(to.uri)
    })
  } finally {
    for (const bytes of again) bytes.fill(0)
  }
}

/** Where the service has moved them by itself there are no bytes to compare with: the public half tells as well. */
async function requireSamePublicHalves(
  to: MasterKey,
  moved: readonly Opened<Wrapping>[],
  options: CallOptions
): Promise<void> {
  const again = await reopen(
    to,
    moved.map(({ result, context }) => ({ wrapped: result.wrapped, context })),
    options
  )
  try {
    await mapInTurns(moved, PARSED_PER_TURN, ({ context }, index) => {
      if (!belongsTo(again[index], context.fingerprint)) throw new UntrueWrapping(to.uri)
    })
  } finally {
    for (const bytes of again) bytes.fill(0)
  }
}

async function reopen(to: MasterKey, keys: readonly WrappedPrivateKey[], options: CallOptions): Promise<Buffer[]> {
  if (keys.length === 0) return []
  const opened = await to.unwrap(keys, options)
  const buffers = opened.filter((bytes): bytes is Buffer => bytes instanceof Buffer)
  if (buffers.length === keys.length) return buffers
  for (const bytes of buffers) bytes.fill(0)
  const refused = opened.find((bytes) => bytes instanceof MasterKeyError && bytes.kind === 'REFUSED')
  throw refused ?? new UntrueWrapping(to.uri)
}

function belongsTo(privateKey: Buffer | undefined, fingerprint: Uint8Array): boolean {
  try {
    return privateKey !== undefined && fingerprintOfPrivateKey(privateKey).equals(fingerprint)
  } catch (error) {
    if (error instanceof DecryptionError) return false
    throw error
  }
}
