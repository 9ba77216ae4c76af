import { describe, expect, it } from 'vitest'
import { KnownKms, KnownTransit, kmsKey, vaultKey } from '../../../scripts/vectors/key-services.js'
import { bytesOf, type Hex, readVectors } from '../../../scripts/vectors/vector-files.js'
import type { MasterKey } from '../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../src/master-key/master-key-error.js'

describe('a private key that was wrapped once under a Transit key', () => {
  it.each(readVectors('vault-private-keys').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    async (_, __, vector) => {
      const transit = new KnownTransit(bytesOf(vector.transitKey), vector.derived)
      await expectUnwrapped(vaultKey(vector.masterKey, transit), vector)
      expect(transit.asked).toEqual(vector.request ? [vector.request] : [])
    }
  )
})

describe('a private key that was wrapped once under a key of AWS KMS', () => {
  it.each(readVectors('kms-private-keys').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    async (_, __, vector) => {
      const kms = new KnownKms(bytesOf(vector.kmsKey), vector.request?.KeyId ?? '', vector.describedArn)
      await expectUnwrapped(kmsKey(vector.masterKey, kms), vector)
      const asked = kms.asked.map((input) => ({
        ...input,
        CiphertextBlob: Buffer.from(input.CiphertextBlob ?? []).toString('hex')
      }))
      expect(asked).toEqual(vector.request ? [vector.request] : [])
    }
  )
})

async function expectUnwrapped(
  key: MasterKey,
  { keyId, fingerprint, wrapped, privateKey }: { keyId: string; fingerprint: Hex; wrapped: Hex; privateKey: Hex | null }
): Promise<void> {
  const context = { keyId, fingerprint: bytesOf(fingerprint) }
  const [opened] = await key.unwrap([{ wrapped: bytesOf(wrapped), context }])
  if (privateKey === null) expect(opened).toBeInstanceOf(MasterKeyError)
  else expect((opened as Buffer).toString('hex')).toBe(privateKey)
}
