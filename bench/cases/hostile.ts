import type { Case } from '../case.js'
import type { HostileLoad, HostileTarget } from '../load/hostile-load.js'
import { tokenOf } from '../operations.js'
import { openPaging } from '../seeding/pages.js'

const PER_MINUTE = 10_000
/** A little more: a round ends between two of the sender's looks at its clock. */
const PER_SECOND = 175
/** A minute in all, in which there are pages enough for a 99th percentile. */
const ROUNDS = { atMost: 3, warmUp: false, measuringMs: 90_000 }
const ROUND_MS = 19_300
const QUIET_ROUND_MS = 4_000

export const hostile: Case = {
  name: 'hostile',
  measured: 'p99 of messages(last: 50), one after the other, while 10,000 hostile documents a minute come in',
  beside: 'the same while none come',
  unit: 'ms',
  goal: { ratio: 'AT_MOST', value: 2 },
  rounds: ROUNDS,
  async prepare(stage) {
    const honest = await openPaging(stage, 'AES', { atOnce: 1, env: { RATE_LIMITS: 'on' } })
    const attacker = await stage.child('load/hostile-load.js')
    const target = { url: honest.api.url, token: await tokenOf('mallory'), seed: 'hostile', perSecond: PER_SECOND }
    await attacker.call('aim', target satisfies HostileTarget)
    await honest.run({ ms: QUIET_ROUND_MS })
    let total: HostileLoad = { sent: 0, sendingMs: 0, faults: 0, unseen: 0 }
    return {
      async measured() {
        await attacker.call('start')
        const { p99Ms } = await honest.run({ ms: ROUND_MS })
        total = await attacker.call<HostileLoad>('stop')
        return p99Ms
      },
      beside: async () => (await honest.run({ ms: QUIET_ROUND_MS })).p99Ms,
      notes: () => [`${total.sent} documents`, `${total.unseen} of them refused without a look`],
      misses: () => missesOf(total),
      async close() {
        await attacker.close()
        await honest.close()
      }
    }
  }
}

function missesOf({ sent, sendingMs, faults }: HostileLoad): string[] {
  const perMinute = Math.floor((sent / sendingMs) * 60_000)
  return [
    ...(perMinute < PER_MINUTE ? [`only ${perMinute} documents a minute were sent.`] : []),
    ...(sent < PER_MINUTE ? [`only ${sent} documents were sent.`] : []),
    ...(faults > 0 ? [`${faults} documents met a fault of the server's own.`] : [])
  ]
}
