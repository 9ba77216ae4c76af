import fc from 'fast-check'

/** The same values in every run. `FAST_CHECK_SEED` chooses others: a number, or `random` for ones that nobody has tried. */
const { FAST_CHECK_SEED: chosen = '20261126' } = process.env
const seed = chosen === 'random' ? Math.trunc(Math.random() * 2 ** 31) : Number(chosen)
/** A machine under load checks fewer values instead of taking longer. */
const TIME_LIMIT_MS = 5000

console.log(`properties are checked with FAST_CHECK_SEED=${seed}`)

export function check<T>(property: fc.IProperty<T>, runs = 500): void {
  fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: TIME_LIMIT_MS })
}

export async function checkAsync<T>(property: fc.IAsyncProperty<T>, runs = 300): Promise<void> {
  await fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: TIME_LIMIT_MS })
}

/** Any text at all: ASCII, whole characters, or code units with lone surrogates among them. */
export function anyText(maxLength = 200): fc.Arbitrary<string> {
  const codeUnits = fc.array(fc.nat(0xffff), { maxLength }).map((units) => String.fromCharCode(...units))
  return fc.oneof(
    fc.string({ maxLength }),
    fc.string({ unit: 'grapheme', maxLength }),
    fc.string({ unit: 'binary', maxLength }),
    codeUnits
  )
}

export const bytes = (constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: 300, ...constraints }).map((array) => Buffer.from(array))

/** One way to spoil bytes, wherever they have room for it. */
type Damage = (original: Buffer) => Buffer

const place = fc.double({ min: 0, max: 0.999999, noNaN: true })
const at = (share: number, length: number) => Math.floor(share * length)

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([share, mask]) => (original: Buffer) => {
    const copy = Buffer.from(original)
    const index = at(share, copy.length)
    copy[index] = (copy[index] ?? 0) ^ mask
    return copy
  }),
  place.map((share) => (original: Buffer) => original.subarray(0, at(share, original.length))),
  place.map((share) => (original: Buffer) => original.subarray(at(share, original.length) + 1)),
  bytes({ minLength: 1, maxLength: 40 }).map((more) => (original: Buffer) => Buffer.concat([original, more])),
  bytes({ minLength: 1, maxLength: 40 }).map((more) => (original: Buffer) => Buffer.concat([more, original])),
  fc.tuple(place, bytes({ minLength: 1, maxLength: 8 })).map(([share, more]) => (original: Buffer) => {
    const index = at(share, original.length)
    return Buffer.concat([original.subarray(0, index), more, original.subarray(index)])
  }),
  fc.tuple(place, fc.integer({ min: 1, max: 8 })).map(([share, length]) => (original: Buffer) => {
    const index = at(share, original.length)
    return Buffer.concat([original.subarray(0, index), original.subarray(index + length)])
  }),
  fc.constant((original: Buffer) => Buffer.from(original).reverse()),
  fc.constant((original: Buffer) => Buffer.concat([original, original]))
)

/** One to three of them, one after the other. */
export const damages: fc.Arbitrary<Damage> = fc
  .array(damage, { minLength: 1, maxLength: 3 })
  .map((several) => (original) => several.reduce((spoiled, spoil) => spoil(spoiled), original))

/** The same for a text of ASCII characters. */
export const textDamages: fc.Arbitrary<(original: string) => string> = damages.map(
  (spoil) => (original) => spoil(Buffer.from(original, 'latin1')).toString('latin1')
)

/** CPU time of this process that an action takes, in milliseconds. */
export function cpuMs(action: () => unknown): number {
  const before = process.cpuUsage()
  action()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
