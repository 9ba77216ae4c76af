import { describe, expect, it } from 'vitest'
import {
  changePolicy,
  describePolicy,
  effectivePolicy,
  type KeyPolicy,
  type KeyPolicyDraft,
  type KeyPolicyOverrides
} from '../../../src/conversation-key/key-policy.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

const DEFAULTS: KeyPolicy = {
  rotateAfter: 'P30D',
  rotateAfterMessages: null,
  destroyAfter: null,
  rotateOnMemberRemoval: true
}

const NOT_A_DURATION = 'Give an ISO 8601 duration of up to ten years, such as P30D or PT12H, or null for never.'
const NOT_A_COUNT = 'Give a number of messages of 1 or more, or null for never.'
const OUT_OF_ORDER = 'Keys must be kept at least as long as they are used: destroyAfter is shorter than rotateAfter.'

describe('a change of a key policy', () => {
  const notDurations = ['', 'soon', '30', 'P', '-P1D', 'PT0S', 'P0D', 'P1.5D', 'P10Y1D', 'P11Y', ' P1D', '2026-11-01']

  it.each(notDurations)('is refused with %j for rotateAfter', (text) => {
    expectRefused({ rotateAfter: text }, 'rotateAfter', NOT_A_DURATION)
  })

  it.each(notDurations)('is refused with %j for destroyAfter', (text) => {
    expectRefused({ destroyAfter: text }, 'destroyAfter', NOT_A_DURATION)
  })

  it.each([0, -1, -(2 ** 31)])('is refused with a limit of %d messages', (count) => {
    expectRefused({ rotateAfterMessages: count }, 'rotateAfterMessages', NOT_A_COUNT)
  })

  it('is refused as a whole when one of its fields is, and leaves what was set before as it was', () => {
    const before: KeyPolicyOverrides = { rotateAfter: 'P7D' }
    expectRefused({ rotateAfter: 'P1D', rotateAfterMessages: 0 }, 'rotateAfterMessages', NOT_A_COUNT, { before })
    expect(before).toEqual({ rotateAfter: 'P7D' })
  })

  it('names the field below the argument that the draft came in', () => {
    const refused = thrownBy(() => changePolicy('input.keyPolicy', DEFAULTS, {}, { rotateAfter: 'soon' }))
    expectBadUserInput(refused, 'input.keyPolicy.rotateAfter', NOT_A_DURATION)
  })
})

describe('a policy that would destroy keys before it rotates them', () => {
  it('is refused when one draft says both', () => {
    expectRefused({ rotateAfter: 'P30D', destroyAfter: 'P29D' }, 'destroyAfter', OUT_OF_ORDER)
  })

  it('is refused by one millisecond, in whatever units it is given', () => {
    expectRefused({ rotateAfter: 'PT1H', destroyAfter: 'PT59M59.999S' }, 'destroyAfter', OUT_OF_ORDER)
    expectRefused({ rotateAfter: 'P1Y', destroyAfter: 'P11M' }, 'destroyAfter', OUT_OF_ORDER)
    expectRefused({ rotateAfter: 'P2W', destroyAfter: 'P13D' }, 'destroyAfter', OUT_OF_ORDER)
  })

  it('is refused when its other half was set before', () => {
    expectRefused({ destroyAfter: 'P6D' }, 'destroyAfter', OUT_OF_ORDER, { before: { rotateAfter: 'P7D' } })
    expectRefused({ rotateAfter: 'P7D' }, 'rotateAfter', OUT_OF_ORDER, {
      before: { rotateAfter: 'P1D', destroyAfter: 'P6D' }
    })
  })

  it("is refused when its other half is the deployment's", () => {
    expectRefused({ destroyAfter: 'P29D' }, 'destroyAfter', OUT_OF_ORDER)
    expectRefused({ rotateAfter: 'P91D' }, 'rotateAfter', OUT_OF_ORDER, {
      defaults: { ...DEFAULTS, destroyAfter: 'P90D' }
    })
  })
})

describe('a draft that touches neither time', () => {
  it('is taken although a change of the defaults has put the two out of order', () => {
    const before = { destroyAfter: 'P20D' }
    expect(changePolicy('policy', DEFAULTS, before, { rotateAfterMessages: 5 })).toEqual({
      ...before,
      rotateAfterMessages: 5
    })
  })
})

describe('a policy that keeps keys at least as long as they are used', () => {
  it.each<KeyPolicyDraft>([
    { rotateAfter: 'P30D', destroyAfter: 'P30D' },
    { rotateAfter: 'P1D', destroyAfter: 'PT24H' },
    { rotateAfter: 'PT0.001S', destroyAfter: 'P10Y' },
    { rotateAfter: null, destroyAfter: 'PT1S' },
    { rotateAfter: 'P10Y', destroyAfter: null },
    { rotateAfter: null, destroyAfter: null }
  ])('is taken as %j', (draft) => {
    expect(change(draft)).toEqual(draft)
  })

  it("is measured with what the conversation has set, and not with the deployment's default below it", () => {
    const defaults = { ...DEFAULTS, destroyAfter: 'P90D' }
    expect(change({ destroyAfter: 'P6D' }, { before: { rotateAfter: 'P5D' } })).toMatchObject({ destroyAfter: 'P6D' })
    expect(change({ rotateAfter: 'P1Y' }, { defaults, before: { destroyAfter: null } })).toMatchObject({
      rotateAfter: 'P1Y'
    })
  })

  it("may rotate never by time where the deployment's default would come too late", () => {
    expect(change({ destroyAfter: 'P1D' }, { before: { rotateAfter: null } })).toEqual({
      rotateAfter: null,
      destroyAfter: 'P1D'
    })
  })
})

describe('a field of a draft', () => {
  const before: KeyPolicyOverrides = {
    rotateAfter: 'P7D',
    rotateAfterMessages: 500,
    destroyAfter: 'P90D',
    rotateOnMemberRemoval: false
  }

  it('changes nothing when it is absent or undefined', () => {
    expect(change({}, { before })).toEqual(before)
    const unsaid = { rotateAfter: undefined, rotateAfterMessages: undefined, destroyAfter: undefined }
    expect(change({ ...unsaid, rotateOnMemberRemoval: undefined }, { before })).toEqual(before)
    expect(Object.keys(change(unsaid))).toEqual([])
  })

  it.each(['rotateAfter', 'rotateAfterMessages', 'destroyAfter'] as const)(
    'means never when %s is null, also where the deployment has a default',
    (name) => {
      const defaults = { ...DEFAULTS, rotateAfterMessages: 1000, destroyAfter: 'P1Y' }
      const after = change({ [name]: null }, { before, defaults })
      expect(after).toEqual({ ...before, [name]: null })
      expect(effectivePolicy(defaults, after)[name]).toBeNull()
    }
  )

  it("takes the conversation's own choice away when rotateOnMemberRemoval is null", () => {
    const { rotateOnMemberRemoval: _, ...rest } = before
    const after = change({ rotateOnMemberRemoval: null }, { before })
    expect(after).toEqual(rest)
    expect(effectivePolicy(DEFAULTS, after).rotateOnMemberRemoval).toBe(true)
  })

  it.each([true, false])('is kept when rotateOnMemberRemoval is %s, even as the default has it', (choice) => {
    expect(change({ rotateOnMemberRemoval: choice })).toEqual({ rotateOnMemberRemoval: choice })
  })

  it.each([1, 2 ** 31 - 1])('is taken when rotateAfterMessages is %d', (count) => {
    expect(change({ rotateAfterMessages: count })).toEqual({ rotateAfterMessages: count })
  })

  it('changes alone, and not in the policy that was given', () => {
    expect(change({ rotateAfterMessages: 10 }, { before })).toEqual({ ...before, rotateAfterMessages: 10 })
    expect(before.rotateAfterMessages).toBe(500)
  })
})

describe('the policy in effect', () => {
  it("is the deployment's where a conversation has set nothing", () => {
    expect(effectivePolicy(DEFAULTS, {})).toEqual(DEFAULTS)
  })

  it('is what the conversation has set, field by field, never and no included', () => {
    const overrides = { rotateAfter: null, destroyAfter: 'P1Y', rotateOnMemberRemoval: false }
    expect(effectivePolicy({ ...DEFAULTS, rotateAfterMessages: 9 }, overrides)).toEqual({
      rotateAfter: null,
      rotateAfterMessages: 9,
      destroyAfter: 'P1Y',
      rotateOnMemberRemoval: false
    })
  })
})

describe('a policy in the audit trail', () => {
  it('is a list of what it says, with never for what does not happen', () => {
    const policy = { rotateAfter: 'P30D', rotateAfterMessages: null, destroyAfter: null, rotateOnMemberRemoval: false }
    expect(describePolicy(policy)).toBe(
      'rotateAfter=P30D rotateAfterMessages=never destroyAfter=never rotateOnMemberRemoval=false'
    )
  })
})

interface Given {
  defaults?: KeyPolicy
  before?: KeyPolicyOverrides
}

function change(draft: KeyPolicyDraft, { defaults = DEFAULTS, before = {} }: Given = {}): KeyPolicyOverrides {
  return changePolicy('policy', defaults, before, draft)
}

function expectRefused(draft: KeyPolicyDraft, field: string, message: string, given: Given = {}): void {
  expectBadUserInput(
    thrownBy(() => change(draft, given)),
    `policy.${field}`,
    message
  )
}
