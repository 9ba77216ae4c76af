import { describe, expect, it } from 'vitest'
import { Unsent } from '../../../web/src/unsent.js'

describe('what was not sent when a token ran out', () => {
  const pending = (body: string) => ({ clientMessageId: `id of ${body}`, body, replyToId: null, refusal: null })

  it('is not given to another user', () => {
    const unsent = new Unsent()
    unsent.leave('alice', 'ward', [pending('one')])
    expect(unsent.take('bob').size).toBe(0)
    expect(unsent.take('alice').get('ward')).toEqual([pending('one')])
  })

  it('is given once, with what an earlier session has left', () => {
    const unsent = new Unsent()
    unsent.leave('alice', 'ward', [pending('one')])
    unsent.leave('alice', 'ward', [pending('two')])
    unsent.leave('alice', 'office', [])
    expect([...unsent.take('alice')]).toEqual([['ward', [pending('one'), pending('two')]]])
    expect(unsent.take('alice').size).toBe(0)
  })

  it('is in the drafts of the next session as well, and in no other user’s', () => {
    const unsent = new Unsent()
    unsent.draftsOf('alice').keep('ward', { body: 'Dry and' })
    expect(unsent.draftsOf('alice').of('ward').body).toBe('Dry and')
    expect(unsent.draftsOf('bob').of('ward').body).toBe('')
  })
})
