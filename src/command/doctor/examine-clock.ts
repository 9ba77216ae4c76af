import { type Finding, fault, notChecked, ok, warning } from './finding.js'

/** How far a clock of somebody else's is ahead of this process's. */
export interface OtherClock {
  whose: string
  aheadMs: number
}

/** Asking takes a while, and which part of it the way there was nobody knows. */
const WARNING_MS = 2_000
/** Tokens are refused, and sends and rotations of several machines get in disorder. */
const FAULT_MS = 30_000

/** Compares this machine's clock with those of the services. They may be wrong as well. */
export function examineClock(clocks: readonly OtherClock[]): Finding[] {
  if (clocks.length === 0) return [notChecked('clock', 'There is no other clock to compare with.')]
  return clocks.map(({ whose, aheadMs }) => {
    const seconds = (Math.abs(aheadMs) / 1000).toFixed(1)
    const words = `This machine's clock is ${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of ${whose}.`
    if (Math.abs(aheadMs) < WARNING_MS) return ok('clock', `This machine's clock and that of ${whose} agree.`)
    const advice = `${words} Tokens, rotations and destructions go by it: have both set by NTP.`
    return Math.abs(aheadMs) < FAULT_MS ? warning('clock', advice) : fault('clock', advice)
  })
}
