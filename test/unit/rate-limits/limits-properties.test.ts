import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressPrefix } from '../../../src/rate-limits/address-prefix.js'
import { takeToken } from '../../../src/rate-limits/token-bucket.js'
import { trafficVariables } from '../../../src/traffic-limits.js'
import { anyText, check, textDamages } from '../../support/properties.js'

const group = fc.nat(0xffff)
const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length })
/** One of the ways to write it (RFC 4291, section 2.2). */
const written = (address: number[]) =>
  fc
    .constantFrom(
      (numbers: number[]) => numbers.map((number) => number.toString(16)).join(':'),
      (numbers: number[]) => numbers.map((number) => number.toString(16).padStart(4, '0').toUpperCase()).join(':'),
      (numbers: number[]) =>
        new URL(`http://[${numbers.map((number) => number.toString(16)).join(':')}]`).hostname.slice(1, -1)
    )
    .map((write) => write(address))

describe('what counts as one address', () => {
  it('is a text for any text, and counts as itself', () => {
    const text = fc.oneof(
      anyText(60),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), textDamages).map(([address, spoil]) => spoil(address))
    )
    check(
      fc.property(text, (address) => {
        const counted = addressPrefix(address)
        expect(addressPrefix(counted)).toBe(counted)
      }),
      1000
    )
  })

  it('is the first 64 bits of an IPv6 address, however it is written', () => {
    const pair = fc
      .tuple(groups(4), groups(4), groups(4), groups(4))
      .filter(([net, other]) => net.join() !== other.join() && net.some(Boolean) && other.some(Boolean))
      .chain(([net, other, one, two]) =>
        fc.tuple(written([...net, ...one]), written([...net, ...two]), written([...other, ...one]))
      )
    check(
      fc.property(pair, ([one, neighbour, elsewhere]) => {
        expect(addressPrefix(one)).toBe(addressPrefix(neighbour))
        expect(addressPrefix(one)).not.toBe(addressPrefix(elsewhere))
      })
    )
  })

  it('is the whole of an IPv4 address, also where it is written as IPv6', () => {
    check(
      fc.property(fc.ipV4(), (address) => {
        expect(addressPrefix(address)).toBe(address)
        expect(addressPrefix(`::ffff:${address}`)).toBe(address)
      })
    )
  })
})

describe('an allowance', () => {
  const allowance = trafficVariables.RATE_LIMIT_SENDS

  it('is as many as are written, and again as many in as long as is written', () => {
    const seconds = fc.integer({ min: 1, max: 24 * 60 * 60 })
    check(
      fc.property(fc.integer({ min: 1, max: 9_999_999 }), seconds, (tokens, period) => {
        expect(allowance.parse(`${tokens}/PT${period}S`)).toEqual({ tokens, periodMs: period * 1000 })
      })
    )
  })

  it('is one that a bucket can be held to, or refused in words that do not repeat it', () => {
    const form = fc.tuple(
      fc.nat(99_999_999),
      fc.constantFrom('PT1M', 'PT0.001S', 'P1D', 'PT24H', 'P1M', '-PT1S', 'PT0S', '')
    )
    const text = fc.oneof(
      anyText(30),
      form.map((parts) => parts.join('/')),
      fc.tuple(form, textDamages).map(([parts, spoil]) => spoil(parts.join('/')))
    )
    check(
      fc.property(text, (given) => {
        const parsed = allowance.safeParse(given)
        if (!parsed.success) {
          expect(parsed.error.issues.map(({ message }) => message)).toEqual([
            'must be a number and the duration in which there may be so many, such as 60/PT1M'
          ])
          return
        }
        expect(given).toMatch(/^[1-9]\d{0,6}\/P/i)
        const { tokens, periodMs } = parsed.data
        expect(Number.isSafeInteger(tokens) && tokens > 0).toBe(true)
        expect(Number.isSafeInteger(periodMs) && periodMs > 0).toBe(true)
        const { fullAt, waitMs } = takeToken(0, 1_000_000, parsed.data)
        expect(waitMs).toBe(0)
        expect(fullAt).toBeGreaterThan(1_000_000)
      }),
      1000
    )
  })
})
