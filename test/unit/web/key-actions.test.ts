import { expect, it } from 'vitest'
import { KEY_ACTIONS } from '../../../src/conversation-key/key-events.js'
import { KEY_ACTIONS as OFFERED } from '../../../web/src/operations/key-actions.js'

it('offers every action of the audit trail to look for, and no other', () => {
  expect(OFFERED).toEqual(KEY_ACTIONS)
})
