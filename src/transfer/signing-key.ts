import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { fingerprint, publicKeyPem } from '../crypto/key-transport.js'
import type { Statement } from '../database/database.js'
import { KeyUnavailable } from '../errors.js'
import { MasterKeyError } from '../master-key/master-key-error.js'
import type { Services } from '../services.js'
import type { ManifestSigner } from './manifest.js'

const NEWEST: Statement = {
  text: `
    select key_id as "keyId", public_key as "publicKey", wrapped_private_key as "wrappedPrivateKey"
      from export_signing_keys where master_key = $1 order by created_at desc, key_id desc limit 1`
}

const INSERT: Statement = {
  text: `
    insert into export_signing_keys (key_id, public_key, wrapped_private_key, master_key, created_at)
    values ($1, $2, $3, $4, $5)`
}

const LIST: Statement = {
  text: `select public_key as "publicKey", created_at as "createdAt" from export_signing_keys order by created_at, key_id`
}

interface SigningKeyRow {
  keyId: string
  publicKey: Buffer
  wrappedPrivateKey: Buffer
}

/** A public key that exports of this deployment were signed with. */
export interface SigningKey {
  /** RFC 7638, as the header of a manifest names it. */
  thumbprint: string
  publicKeyPem: string
  createdAt: Date
}

type SigningServices = Pick<Services, 'database' | 'masterKeys' | 'clock' | 'log'>

/**
 * The key that this deployment signs exports with: the newest under the current master key, made where there is none. Of
 * the others the public halves stay, for what was signed before. See docs/adr/0020.
 *
 * @throws KeyUnavailable when the master key is out of reach
 */
export async function exportSigner(services: SigningServices): Promise<ManifestSigner> {
  const { database, masterKeys, log } = services
  try {
    const [row] = await database.run<SigningKeyRow>(NEWEST, [masterKeys.current.uri])
    return (row && (await openSigner(services, row))) ?? (await makeSigner(services))
  } catch (error) {
    if (!(error instanceof MasterKeyError)) throw error
    log.error({ masterKey: error.uri, kind: error.kind, reason: error }, 'exports cannot be signed')
    throw new KeyUnavailable()
  }
}

/** @returns null for one that is damaged: another takes its place */
async function openSigner(
  { masterKeys, log }: SigningServices,
  { keyId, publicKey, wrappedPrivateKey: wrapped }: SigningKeyRow
): Promise<ManifestSigner | null> {
  const context = { keyId, fingerprint: fingerprint(publicKey) }
  const [opened] = await masterKeys.unwrap(masterKeys.current.uri, [{ wrapped, context }])
  if (!Buffer.isBuffer(opened)) {
    if (opened?.kind === 'UNREACHABLE') throw opened
    log.error({ keyId, kind: opened?.kind }, 'signing key of exports cannot be opened')
    return null
  }
  try {
    return {
      privateKey: createPrivateKey({ key: opened, type: 'pkcs8', format: 'der' }),
      publicKey: createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
    }
  } finally {
    opened.fill(0)
  }
}

async function makeSigner({ database, masterKeys, clock }: SigningServices): Promise<ManifestSigner> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const keyId = uuidv7()
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  try {
    const context = { keyId, fingerprint: fingerprint(spki) }
    const [wrapping] = await masterKeys.current.wrap([{ privateKey: pkcs8, context }])
    if (!wrapping) throw new Error('a master key wraps every key that it is given')
    await database.run(INSERT, [keyId, spki, wrapping.wrapped, masterKeys.current.uri, clock.now()])
    return { privateKey, publicKey }
  } finally {
    pkcs8.fill(0)
  }
}

/** Every key that exports of this deployment were ever signed with, the oldest first. */
export async function listSigningKeys({ database }: Pick<Services, 'database'>): Promise<SigningKey[]> {
  const rows = await database.run<{ publicKey: Buffer; createdAt: Date }>(LIST, [])
  return await Promise.all(
    rows.map(async ({ publicKey, createdAt }) => ({
      thumbprint: await thumbprintOf(publicKey),
      publicKeyPem: publicKeyPem(publicKey),
      createdAt
    }))
  )
}

async function thumbprintOf(spki: Buffer): Promise<string> {
  return await calculateJwkThumbprint(await exportJWK(createPublicKey({ key: spki, type: 'spki', format: 'der' })))
}
