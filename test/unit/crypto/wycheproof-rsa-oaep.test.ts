import { afterAll, describe, expect, it } from 'vitest'
import { importPrivateKey, openOaep, unwrapDataKey } from '../../../src/crypto/key-transport.js'
import { type PrivateKey, withSecretBytes } from '../../../src/crypto/keys.js'
import {
  CaseCounts,
  describeCase,
  type Hex,
  hasWycheproof,
  readWycheproof,
  type WycheproofCase
} from '../../support/wycheproof.js'
import { rejectionOf } from '../failures.js'
import { expectDecryptionError } from './tampering.js'

interface Parameters {
  keySize: number
  sha: string
  mgfSha: string
  privateKeyPkcs8: Hex
}

interface OaepCase {
  msg: Hex
  ct: Hex
  label: Hex
}

const DATA_KEY_BYTES = 32

describe.skipIf(!hasWycheproof).each([2048, 3072, 4096])(
  'RSA-OAEP of %d bits, held to the published vectors',
  (bits) => {
    const name = `rsa_oaep_${bits}_sha256_mgf1sha256_test.json`
    const counts = new CaseCounts()
    const cases = hasWycheproof
      ? readWycheproof<Parameters, OaepCase>(name).flatMap(({ tests, ...parameters }) => {
          expect(parameters).toMatchObject({ keySize: bits, sha: 'SHA-256', mgfSha: 'SHA-256' })
          const privateKey = importPrivateKey(Buffer.from(parameters.privateKeyPkcs8, 'hex'))
          return tests.map((vector) => ({ ...vector, privateKey }))
        })
      : []
    afterAll(() => counts.print(name))

    it.each(cases.map((vector) => [describeCase(vector), vector] as const))('%s', async (_, vector) => {
      counts.count(await outcomeOf(vector))
    })

    it('had a case of every kind, and none that was left out', () => {
      expect(counts.total).toBe(cases.length)
      expect(counts.kinds).toEqual([
        'opened and refused as no data key, for its length',
        'opened, and unwrapped as a data key',
        'refused as invalid',
        'refused for the label'
      ])
    })
  }
)

async function outcomeOf(vector: OaepCase & WycheproofCase & { privateKey: PrivateKey }): Promise<string> {
  const { privateKey } = vector
  const ciphertext = Buffer.from(vector.ct, 'hex')
  const wrapped = Buffer.concat([Uint8Array.of(1, 2), ciphertext])
  if (vector.result === 'invalid' || vector.label !== '') {
    expectDecryptionError(await rejectionOf(openOaep(privateKey, ciphertext)))
    expectDecryptionError(await rejectionOf(unwrapDataKey(privateKey, wrapped)))
    return vector.result === 'invalid' ? 'refused as invalid' : 'refused for the label'
  }
  expect(Buffer.from(await openOaep(privateKey, ciphertext)).toString('hex')).toBe(vector.msg)
  if (vector.msg.length / 2 !== DATA_KEY_BYTES) {
    expectDecryptionError(await rejectionOf(unwrapDataKey(privateKey, wrapped)))
    return 'opened and refused as no data key, for its length'
  }
  expect(withSecretBytes(await unwrapDataKey(privateKey, wrapped), (lent) => lent.toString('hex'))).toBe(vector.msg)
  return 'opened, and unwrapped as a data key'
}
