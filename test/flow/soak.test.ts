import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type SoakPlan, soak } from '../soak/soak.js'
import { canStartRedis } from '../support/redis.js'
import { isLong } from '../support/soak-length.js'

/** `npm run soak` runs the long form; SOAK_SEED repeats the choices of a run. */

const SHORT: SoakPlan = {
  messages: 1_500,
  senders: 3,
  subscribers: 20,
  apiKills: 2,
  redisKills: 1,
  postgresRestarts: 1,
  cutSockets: 20
}
const LONG: SoakPlan = {
  messages: 20_000,
  senders: 3,
  subscribers: 20,
  apiKills: 10,
  redisKills: 3,
  postgresRestarts: 2,
  cutSockets: 200
}

const plan = isLong ? LONG : SHORT
const seed = process.env.SOAK_SEED ?? randomUUID()

describe.skipIf(!canStartRedis)(
  `${plan.messages} messages while processes are killed, stores restarted and sockets cut`,
  () => {
    it('are at every subscriber, each change once, in order, as they were sent', { timeout: 1_800_000 }, async () => {
      console.log(`SOAK_SEED=${seed}`)
      const report = await soak(plan, seed)
      console.log(report)
      expect(report.problems).toEqual([])
      expect(report.acknowledged).toBeGreaterThanOrEqual(plan.messages)
    })
  }
)
