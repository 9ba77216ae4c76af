// Has a program believe that it is later: by CLOCK_AHEAD_MS. Loaded with --import.

const aheadMs = Number(process.env.CLOCK_AHEAD_MS)
const { now } = Date
const Present = Date

globalThis.Date = class Later extends Present {
  constructor(...args) {
    super(...(args.length === 0 ? [now() + aheadMs] : args))
  }

  static now() {
    return now() + aheadMs
  }
}
