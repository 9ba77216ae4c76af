import fc from 'fast-check'

/** The same values in every run. `FAST_CHECK_SEED` chooses others: a number, or `random` for ones that nobody has tried. */
const { FAST_CHECK_SEED: chosen = '20261126' } = process.env
const seed = chosen === 'random' ? Math.trunc(Math.random() * 2 ** 31) : Number(chosen)

export interface TimeLimits {
  /** After so long a fifth of the values is enough. */
  enoughMs: number
  /** After so long it is over, and failed where it was fewer. */
  mostMs: number
  /** For one value, where that is waited for: what takes longer has failed. */
  valueMs: number
}

/** A machine under load checks fewer values instead of taking longer. Vitest gives a test a minute. */
const TIME_LIMITS: TimeLimits = { enoughMs: 5_000, mostMs: 40_000, valueMs: 10_000 }
/** For one that takes long for each value, beside others. */
export const BRIEF: TimeLimits = { ...TIME_LIMITS, enoughMs: 1_000 }
const LEAST_SHARE = 1 / 5

console.log(`properties are checked with FAST_CHECK_SEED=${seed}`)

export function check<T>(property: fc.IProperty<T>, runs = 500, limits = TIME_LIMITS): void {
  fc.assert(property, { seed, numRuns: runs, plugins: pluginsFor(runs, limits) })
}

export async function checkAsync<T>(property: fc.IAsyncProperty<T>, runs = 300, limits = TIME_LIMITS): Promise<void> {
  await fc.assert(property, { seed, numRuns: runs, plugins: pluginsFor(runs, limits) })
}

function pluginsFor(runs: number, limits: TimeLimits): fc.Plugin<unknown>[] {
  return [stopInTime(runs, limits), fc.timeout(limits.valueMs)]
}

/** Stops between two values: fast-check's own limit takes whatever it cuts off for a success, also what hangs. */
function stopInTime(runs: number, { enoughMs, mostMs }: TimeLimits): fc.Plugin<unknown> {
  const least = Math.ceil(runs * LEAST_SHARE)
  return () => {
    const begin = performance.now()
    let begun = 0
    return {
      decorateRun: (run) => (value) => {
        const ms = performance.now() - begin
        if (ms > mostMs || (ms > enoughMs && begun >= least)) return new fc.PreconditionFailure(true)
        begun++
        return run(value)
      },
      onAllRunsComplete({ failed, interrupted }) {
        if (failed || !interrupted || begun >= least) return
        throw new Error(
          `${begun} of ${runs} values were checked within ${mostMs} ms, and not the ${least} that have to be`
        )
      }
    }
  }
}

const SURROGATES = 0x800

/** Any text at all: ASCII, whole characters, or code units with lone surrogates among them. */
export function anyText(maxLength = 200): fc.Arbitrary<string> {
  // As `unit: 'binary'` has them, which takes seconds to get ready.
  const codePoints = fc
    .array(fc.nat(0x10ffff - SURROGATES), { maxLength })
    .map((points) => String.fromCodePoint(...points.map((point) => (point < 0xd800 ? point : point + SURROGATES))))
  const codeUnits = fc.array(fc.nat(0xffff), { maxLength }).map((units) => String.fromCharCode(...units))
  return fc.oneof(fc.string({ maxLength }), fc.string({ unit: 'grapheme', maxLength }), codePoints, codeUnits)
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
