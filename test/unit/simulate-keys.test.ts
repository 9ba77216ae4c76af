import { describe, expect, it } from 'vitest'
import { type Deployment, defaultLimits, simulateKeys, workedExample } from '../../scripts/simulate-keys.js'
import { randomFrom } from '../soak/random.js'

const SMALL: Deployment = {
  conversations: 100_000,
  used: 2000,
  createdPerDay: 864,
  messagesPerSecond: 20,
  processes: 4,
  listening: 1,
  sticky: true,
  ...defaultLimits()
}

const simulate = (change: Partial<Deployment> = {}, sample = 2000) =>
  simulateKeys({ ...SMALL, ...change }, sample, randomFrom('keys'))

describe('the simulation of what keys cost', () => {
  it('goes by the defaults of the configuration', () => {
    expect(workedExample()).toMatchObject({
      dataKeyCacheTtlMs: 300_000,
      dataKeyCacheMax: 10_000,
      dataKeyMaxMessages: 1000,
      dataKeyMaxAgeMs: 24 * 3_600_000,
      rotateAfterMs: 30 * 24 * 3_600_000
    })
  })

  it('opens nothing for conversations without messages, however many there are', () => {
    const [few, many] = [simulate(), simulate({ conversations: 10_000_000 })]
    expect(many).toEqual({ ...few, privateKeysInAYear: few.privateKeysInAYear + 9_900_000 })
  })

  it('unwraps a private key once for each time that it is kept, where it is always in use', () => {
    const busy = { used: 20, messagesPerSecond: 400, dataKeyMaxMessages: 1_000_000, dataKeyCacheTtlMs: 10_000 }
    const { unwrapsPerSecond } = simulate(busy)
    // The least busy of them has 1 message in 2 seconds: all are opened again soon after they were let go.
    expect(unwrapsPerSecond).toBeGreaterThan(1)
    expect(unwrapsPerSecond).toBeLessThanOrEqual(2)
  })

  it('unwraps for nearly every message where the cache is too small, and seldom where it is not', () => {
    const wanted = SMALL.messagesPerSecond
    expect(simulate({ dataKeyCacheMax: 1, privateKeysMax: 1 }).unwrapsPerSecond).toBeGreaterThan(0.8 * wanted)
    expect(simulate({ dataKeyCacheTtlMs: 3_600_000 }).unwrapsPerSecond).toBeLessThan(0.2 * wanted)
  })

  it('costs more at more processes where sends go to any of them, and not where they go to one', () => {
    const at = (processes: number, sticky: boolean) => simulate({ processes, sticky }).unwrapsPerSecond
    expect(at(16, false)).toBeGreaterThan(1.3 * at(4, false))
    expect(at(16, true)).toBeLessThan(1.1 * at(4, true))
  })

  it('finds the same in a sample as in the whole', () => {
    const large = { used: 20_000, messagesPerSecond: 200, dataKeyCacheMax: 1000, dataKeyCacheTtlMs: 60_000 }
    const [whole, sample] = [simulate(large, 20_000), simulate(large, 4000)]
    expect(sample.hitRatio / whole.hitRatio).toBeGreaterThan(0.9)
    expect(sample.hitRatio / whole.hitRatio).toBeLessThan(1.1)
    expect(sample.rotationsPerDay / whole.rotationsPerDay).toBeCloseTo(1, 1)
  })

  it('rotates each used key once in a period, and makes a pair for that and for each new conversation', () => {
    const { rotationsPerDay, keyPairsPerSecond } = simulate({ used: 3000 })
    expect(rotationsPerDay).toBeLessThanOrEqual(100)
    expect(rotationsPerDay).toBeGreaterThan(95)
    expect(keyPairsPerSecond).toBeCloseTo((rotationsPerDay + SMALL.createdPerDay) / 86_400, 5)
  })
})
