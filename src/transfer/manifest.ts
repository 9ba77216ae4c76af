import { type KeyObject, timingSafeEqual } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint, compactVerify, EmbeddedJWK, exportJWK } from 'jose'
import { z } from 'zod'
import { isCanonicalCompact, textOf } from '../compact-form.js'
import { FORMAT, type Manifest, VERSION } from './export-format.js'
import { TransferError } from './transfer-error.js'

/** Ed25519 (RFC 8032, RFC 8037). */
const ALGORITHM = 'EdDSA'

export interface ManifestSigner {
  privateKey: KeyObject
  publicKey: KeyObject
}

const count = z.int().min(0)
const manifest = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  exportId: z.string(),
  subject: z.union([z.strictObject({ conversationId: z.string() }), z.strictObject({ userId: z.string() })]),
  createdAt: z.string(),
  after: count,
  recipient: z.string(),
  lines: count,
  counts: z.strictObject({ conversation: count, user: count, message: count, member: count }),
  unreadable: count,
  sha256: z.string()
})

/** @returns compact JWS (RFC 7515), whose header names the public half */
export async function signManifest(signer: ManifestSigner, content: Manifest): Promise<string> {
  const jwk = await exportJWK(signer.publicKey)
  const header = { alg: ALGORITHM, kid: await calculateJwkThumbprint(jwk), jwk }
  return await new CompactSign(Buffer.from(JSON.stringify(content))).setProtectedHeader(header).sign(signer.privateKey)
}

/**
 * @returns what was signed, and the thumbprint of the key that has signed it: whose that is, is for the caller to know
 * @throws TransferError MANIFEST
 */
export async function verifyManifest(jws: string): Promise<{ manifest: Manifest; signedBy: string }> {
  try {
    if (!isCanonicalCompact(jws)) throw new Error('it has another spelling of its bytes')
    const { payload, protectedHeader } = await compactVerify(jws, EmbeddedJWK, { algorithms: [ALGORITHM] })
    const parsed = manifest.parse(JSON.parse(textOf(payload)))
    const { jwk } = protectedHeader
    if (!jwk) throw new Error('it was verified with that key')
    return { manifest: parsed, signedBy: await calculateJwkThumbprint(jwk) }
  } catch {
    throw new TransferError('MANIFEST', 'The manifest is not one of this format, or its signature is wrong.')
  }
}

/** @throws TransferError MANIFEST where what was read is not what was signed */
export function requireSame(
  read: Omit<Manifest, 'format' | 'version' | 'createdAt' | 'subject' | 'after'>,
  signed: Manifest
): void {
  const hashes = [read.sha256, signed.sha256].map((hash) => Buffer.from(hash, 'base64url'))
  const [ours = Buffer.alloc(0), theirs = Buffer.alloc(0)] = hashes
  const differs = (what: string) =>
    new TransferError('MANIFEST', `The ${what} in the manifest is not that of the file.`)
  if (read.exportId !== signed.exportId) throw differs('id')
  if (read.recipient !== signed.recipient) throw differs('recipient')
  if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs)) throw differs('hash')
  const counts = Object.entries(read.counts).every(([type, n]) => signed.counts[type as keyof typeof read.counts] === n)
  if (read.lines !== signed.lines || !counts || read.unreadable !== signed.unreadable) throw differs('count')
}
