import { describe, expect, it } from 'vitest'
import { policyChanges } from '../../../web/src/keys/policy-changes.js'
import { expiring, previewOf } from '../../../web/src/keys/policy-preview.js'

const DAY = 86_400_000
const NOW = Date.parse('2026-03-01T00:00:00Z')
const policy = { rotateAfter: 'P90D', rotateAfterMessages: 500, destroyAfter: 'P30D', rotateOnMemberRemoval: true }

describe('the preview of a policy', () => {
  it('counts rotations and what they lead to, beyond what is drawn', () => {
    const { rotations, destructions } = previewOf({ rotateAfter: 'PT1H', destroyAfter: 'P360D' }, NOW, [], NOW)
    expect(rotations.count).toBe(365 * 24)
    expect(rotations.drawn).toHaveLength(400)
    expect(destructions.count).toBe(5 * 24)
  })

  it('has none of either for a policy that never rotates', () => {
    const nothing = { count: 0, drawn: [] }
    expect(previewOf({ rotateAfter: null, destroyAfter: 'P1D' }, NOW, [], NOW)).toEqual({
      rotations: nothing,
      destructions: nothing
    })
  })

  it('has the versions that there are among the destructions', () => {
    const { destructions } = previewOf({ rotateAfter: 'P90D', destroyAfter: 'P300D' }, NOW, [NOW, NOW + DAY], NOW)
    expect(destructions).toEqual({ count: 2, drawn: [NOW, NOW + DAY] })
  })
})

describe('the versions that expire', () => {
  const restored = { deactivatedAt: NOW - 100 * DAY, destroysAt: null, messageCount: 7 }
  const waiting = { deactivatedAt: NOW - 10 * DAY, destroysAt: NOW + 20 * DAY, messageCount: 3 }

  it('are those with a time of their own where destruction stays as it is', () => {
    expect(expiring([restored, waiting], undefined, NOW)).toEqual([{ at: NOW + 20 * DAY, messageCount: 3 }])
  })

  it('are the restored ones as well where it is changed, those that are late at once', () => {
    expect(expiring([waiting, restored], 'P60D', NOW)).toEqual([
      { at: NOW, messageCount: 7 },
      { at: NOW + 50 * DAY, messageCount: 3 }
    ])
  })

  it('are none where it is taken away, or is more than a year ahead', () => {
    expect(expiring([restored, waiting], null, NOW)).toEqual([])
    expect(expiring([restored, waiting], 'P2Y', NOW)).toEqual([])
  })
})

describe('what is sent of a policy', () => {
  it('is nothing of what stays', () => {
    expect(policyChanges(policy, { ...policy })).toEqual({})
    expect(policyChanges(policy, { ...policy, rotateAfter: 'P30D' })).toEqual({ rotateAfter: 'P30D' })
  })

  it('is null for what is taken away', () => {
    expect(policyChanges(policy, { ...policy, destroyAfter: null })).toEqual({ destroyAfter: null })
  })
})
