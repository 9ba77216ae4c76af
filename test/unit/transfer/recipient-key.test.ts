import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import { ecRecipient, inPem, rsaRecipient } from '../../support/transfer/recipients.js'

const refusal = async (read: Promise<unknown>): Promise<string> =>
  await read.then(
    () => 'nothing refused',
    (error: Error & { code?: string }) => `${error.code}: ${error.message}`
  )

describe('the key that an export is made for', () => {
  it('is refused where it is a private one, without being repeated', async () => {
    const { privatePem } = rsaRecipient()
    const said = await refusal(readRecipientKey(privatePem))
    expect(said).toMatch(/^KEY: This is a private key\. Give the public half/)
    for (const line of privatePem.split('\n').slice(1, -2)) expect(said).not.toContain(line)
  })

  it.each([
    ['an RSA key of 1024 bits', () => rsaRecipient(1024).publicPem, /1024 bits; 2048 are the least/],
    ['an RSA key with the exponent 3', () => rsaRecipient(2048, 3).publicPem, /exponent under 65537/],
    ['a key on another curve', () => ecRecipient('secp256k1').publicPem, /secp256k1 are not supported/],
    ['a key that only signs', () => inPem(generateKeyPairSync('ed25519')).publicPem, /encrypts nothing/],
    ['no key at all', () => 'nothing of the kind', /not a public key in PEM/],
    ['a key that is cut off', () => rsaRecipient().publicPem.slice(0, 200), /not a public key in PEM/]
  ])('is refused where it is %s', async (_, pem, words) => {
    expect(await refusal(readRecipientKey(pem()))).toMatch(words)
  })

  it.each([
    ['RSA of 2048 bits', () => rsaRecipient(), 'RSA-OAEP-256'],
    ['P-256', () => ecRecipient('P-256'), 'ECDH-ES+A256KW'],
    ['P-384', () => ecRecipient('P-384'), 'ECDH-ES+A256KW'],
    ['P-521', () => ecRecipient('P-521'), 'ECDH-ES+A256KW'],
    ['X25519', () => inPem(generateKeyPairSync('x25519')), 'ECDH-ES+A256KW']
  ])('may be %s, and has one thumbprint in both halves', async (_, make, algorithm) => {
    const { publicPem, privatePem } = make()
    const [given, own] = [await readRecipientKey(publicPem), await readPrivateKey(privatePem)]
    expect([given.algorithm, own.algorithm]).toEqual([algorithm, algorithm])
    expect(given.thumbprint).toBe(own.thumbprint)
  })
})

describe('the key that opens an export', () => {
  it('is refused where it is a public one', async () => {
    expect(await refusal(readPrivateKey(rsaRecipient().publicPem))).toMatch(/^KEY: This is a public key/)
  })

  it('is refused where it has a passphrase', async () => {
    const encrypted = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const
    const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(encrypted).toString()
    expect(await refusal(readPrivateKey(pem))).toMatch(/passphrase/)
  })

  it('is refused where it is none', async () => {
    expect(await refusal(readPrivateKey('-----BEGIN NOTHING-----'))).toMatch(/not a private key in PEM/)
  })
})
