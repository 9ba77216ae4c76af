import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findMarked, markedKey } from '../support/marked-secrets/markers.js'
import { Sweep } from '../support/marked-secrets/sweep.js'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const der = privateKey.export({ type: 'pkcs8', format: 'der' })
const jwk = privateKey.export({ format: 'jwk' })
const prime = Buffer.from(jwk.p ?? '', 'base64url')
const dataKey = randomBytes(32)

/** How a key may have been written down. */
const spellings = (bytes: Buffer): [string, string][] => [
  ['raw', bytes.toString('latin1')],
  ['in hexadecimal digits', bytes.toString('hex')],
  ['in great ones', bytes.toString('hex').toUpperCase()],
  ['in base64', bytes.toString('base64')],
  ['in base64url', bytes.toString('base64url')],
  ['within others in base64', Buffer.concat([Buffer.from('{'), bytes, Buffer.from('}')]).toString('base64')],
  ['as JSON writes a Buffer', JSON.stringify(bytes)],
  ['as JSON writes a Uint8Array', JSON.stringify(new Uint8Array(bytes))],
  ['as the console shows a Buffer', inspect(bytes)]
]

describe('a key that is looked for', () => {
  it('is not found in another', () => {
    for (const [, text] of [...spellings(randomBytes(32)), ...spellings(randomBytes(128))])
      expect(foundIn(text)).toEqual([])
  })

  it.each(spellings(dataKey))('is found %s: 256 bits', (_, text) => {
    expect(foundIn(`before ${text} behind`)).toEqual(['data key'])
  })

  it.each(spellings(prime))('is found %s: a prime', (_, text) => {
    expect(foundIn(`before ${text} behind`)).toEqual(['prime'])
  })

  it.each([
    ['PEM', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['PEM in one line of JSON', JSON.stringify(privateKey.export({ type: 'pkcs8', format: 'pem' }))],
    ['PKCS #1', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['JWK', JSON.stringify(jwk)],
    ['PKCS #8 in hexadecimal digits', der.toString('hex')],
    ['PKCS #8 in base64', der.toString('base64')],
    ['PKCS #8 as it is', der.toString('latin1')],
    ['PKCS #8 number by number', JSON.stringify(der)]
  ])('is found in %s', (_, text) => {
    expect(foundIn(text)).toEqual(['prime'])
  })
})

describe('a sweep', () => {
  it('takes no form that is too short to be one', () => {
    expect(() => new Sweep(['x'.repeat(15)])).toThrow(RangeError)
  })

  it('finds what indexOf finds, at the beginning, at the end, and one in another', () => {
    const forms = ['a'.repeat(16), 'a'.repeat(20), `${'b'.repeat(16)}\ud83d\ude00`, 'c'.repeat(17)]
    for (const text of [
      '',
      'a'.repeat(15),
      'a'.repeat(20),
      `x${'a'.repeat(16)}`,
      `${forms[2]}${forms[0]}`,
      forms[3] ?? ''
    ])
      expect(new Map([...new Sweep(forms).in(text)].sort())).toEqual(
        new Map(forms.flatMap((form) => (text.includes(form) ? [[form, text.indexOf(form)] as const] : [])))
      )
  })
})

function foundIn(text: string): string[] {
  const marked = [markedKey('data key', dataKey), markedKey('prime', prime)]
  return findMarked(marked, { text }).map(({ what }) => what)
}
