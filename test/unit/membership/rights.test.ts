import { describe, expect, it } from 'vitest'
import type { MemberRole } from '../../../src/database/entities.js'
import { mayRole, type Right } from '../../../src/membership/rights.js'

/** Owner, moderator, member. */
const RIGHTS: Record<Right, [boolean, boolean, boolean]> = {
  'add members': [true, false, false],
  'remove members': [true, true, false],
  'set roles': [true, false, false],
  rename: [true, false, false],
  'delete the conversation': [true, false, false],
  'export the conversation': [true, false, false],
  'delete messages': [true, true, false]
}

const cells = Object.entries(RIGHTS).flatMap(([right, [owner, moderator, member]]) => [
  { right: right as Right, role: 'OWNER' as MemberRole, may: owner },
  { right: right as Right, role: 'MODERATOR' as MemberRole, may: moderator },
  { right: right as Right, role: 'MEMBER' as MemberRole, may: member }
])

describe('a role', () => {
  it.each(cells.filter(({ may }) => !may))('$role may not $right', ({ role, right }) => {
    expect(mayRole(role, right)).toBe(false)
  })

  it.each(cells.filter(({ may }) => may))('$role may $right', ({ role, right }) => {
    expect(mayRole(role, right)).toBe(true)
  })
})
