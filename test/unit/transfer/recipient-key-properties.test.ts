import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type RecipientKey, readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import { TransferError } from '../../../src/transfer/transfer-error.js'
import { anyText, BRIEF, bytes, checkAsync, damages, textDamages } from '../../support/properties.js'
import { ecRecipient, inPem, type Recipient, rsaRecipient } from '../../support/transfer/recipients.js'

/** The readers of keys in PEM, given anything at all. */

const LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE', 'PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY']

let good: Recipient[]
let weak: Recipient[]

beforeAll(() => {
  good = [rsaRecipient(), ...['P-256', 'P-384', 'P-521'].map(ecRecipient), inPem(generateKeyPairSync('x25519'))]
  weak = [rsaRecipient(1024), rsaRecipient(2048, 3), ecRecipient('secp256k1'), inPem(generateKeyPairSync('ed25519'))]
})

/** Null for what was refused; the test fails where that was in another way than the documented one. */
async function keyOrRefused(read: (pem: string) => Promise<RecipientKey>, pem: string): Promise<RecipientKey | null> {
  try {
    return await read(pem)
  } catch (error) {
    expect(error).toBeInstanceOf(TransferError)
    expect(error).toMatchObject({ code: 'KEY', line: null })
    for (const line of pem.split('\n').filter((one) => one.length > 20 && !/KEY|CERTIFICATE/.test(one)))
      expect((error as TransferError).message).not.toContain(line)
    return null
  }
}

/** One of those that are made before the first test. */
const chosen = (half: keyof Recipient) =>
  fc.nat(8).map((index) => [...good, ...weak][index]?.[half] ?? expect.fail('there are nine'))

const inFrame = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

const derOf = (pem: string) => Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ''), 'base64')

/** Keys, what is nearly one, and what is none. */
const anyPem = (half: keyof Recipient) =>
  fc.oneof(
    chosen(half),
    fc.tuple(chosen(half), textDamages).map(([pem, spoil]) => spoil(pem)),
    fc
      .tuple(chosen(half), damages, fc.constantFrom(...LABELS))
      .map(([pem, spoil, label]) => inFrame(label, spoil(derOf(pem)))),
    fc.tuple(fc.constantFrom(...LABELS), bytes()).map(([label, der]) => inFrame(label, der)),
    anyText()
  )

describe.each([
  ['the key that an export is made for', 'publicPem', readRecipientKey],
  ['the key that opens an export', 'privatePem', readPrivateKey]
] as const)('%s', (_, half, read) => {
  it('is one that is strong enough, or refused in words without a piece of it, whatever is given', async () => {
    await checkAsync(
      fc.asyncProperty(anyPem(half), async (pem) => {
        const found = await keyOrRefused(read, pem)
        if (!found) return
        expect(found.key.type).toBe(half === 'publicPem' ? 'public' : 'private')
        expect(found.thumbprint).toMatch(/^[A-Za-z0-9_-]{43}$/)
        const { modulusLength = 2048 } = found.key.asymmetricKeyDetails ?? {}
        expect(modulusLength).toBeGreaterThanOrEqual(2048)
        expect(found.algorithm).toBe(found.key.asymmetricKeyType === 'rsa' ? 'RSA-OAEP-256' : 'ECDH-ES+A256KW')
      }),
      500,
      BRIEF
    )
  })

  it('is the same with other line ends, and with lines around it', async () => {
    const around = fc.constantFrom('', '\n', '\r\n\r\n', 'subject=whoever\n', '# a comment\n\n')
    const lineEnd = fc.constantFrom('\n', '\r\n')
    await checkAsync(
      fc.asyncProperty(fc.nat(4), around, around, lineEnd, async (index, before, after, end) => {
        const pem = good[index]?.[half] ?? ''
        const { algorithm, thumbprint } = await read(pem)
        const given = `${before}${pem.replaceAll('\n', end)}${after}`
        expect(await read(given)).toMatchObject({ algorithm, thumbprint })
      }),
      100,
      BRIEF
    )
  })
})
