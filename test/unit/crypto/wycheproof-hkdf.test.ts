import { createSecretKey } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { deriveKey } from '../../../src/crypto/key-derivation.js'
import { type MasterSecret, masterSecretFrom } from '../../../src/crypto/keys.js'
import { CaseCounts, describeCase, type Hex, hasWycheproof, readWycheproof } from '../../support/wycheproof.js'
import { thrownBy } from '../failures.js'

interface HkdfCase {
  ikm: Hex
  salt: Hex
  info: Hex
  /** Bytes that are asked for. */
  size: number
  okm: Hex
}

const NAME = 'hkdf_sha256_test.json'
const SECRET_BYTES = 32
const DERIVED_BYTES = 32
/** RFC 5869, section 2.3: 255 blocks of the hash. */
const MAX_BYTES = 255 * 32
const counts = new CaseCounts()

describe.skipIf(!hasWycheproof)('HKDF-SHA256, held to the published vectors', () => {
  const cases = hasWycheproof ? readWycheproof<object, HkdfCase>(NAME).flatMap(({ tests }) => tests) : []
  afterAll(() => counts.print(NAME))

  it.each(cases.map((vector) => [describeCase(vector), vector] as const))('%s', (_, vector) => {
    const { ikm, size, okm, result } = vector
    if (ikm.length / 2 !== SECRET_BYTES) expectSecretRefused(ikm)
    const derived = derive(vector)
    // There is no length to ask for, so what is too long cannot be had.
    expect(derived).toHaveLength(DERIVED_BYTES)
    if (result === 'invalid') {
      expect(size).toBeGreaterThan(MAX_BYTES)
      counts.count('that ask for more than there is, which cannot be asked for')
      return
    }
    // A longer output begins with the shorter one (RFC 5869, section 2.3).
    const common = Math.min(size, DERIVED_BYTES)
    expect(derived.toString('hex', 0, common)).toBe(okm.slice(0, common * 2))
    counts.count(`derived${ikm.length / 2 === SECRET_BYTES ? '' : ', and refused as a master secret for their size'}`)
  })

  it('had a case of every kind, and none that was left out', () => {
    expect(counts.total).toBe(cases.length)
    expect(counts.kinds).toEqual([
      'derived',
      'derived, and refused as a master secret for their size',
      'that ask for more than there is, which cannot be asked for'
    ])
  })
})

function expectSecretRefused(ikm: Hex): void {
  const error = thrownBy(() => masterSecretFrom(Buffer.from(ikm, 'hex')))
  expect(error).toBeInstanceOf(RangeError)
  expect(error.message).toBe('a 256-bit key has 32 bytes')
}

/** Under a secret of any size: `masterSecretFrom` would not let all of them in. */
function derive({ ikm, salt, info }: HkdfCase): Buffer {
  const secret = createSecretKey(Buffer.from(ikm, 'hex')) as MasterSecret
  return deriveKey(secret, Buffer.from(salt, 'hex'), Buffer.from(info, 'hex')).export()
}
