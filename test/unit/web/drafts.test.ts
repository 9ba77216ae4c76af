import { describe, expect, it } from 'vitest'
import { Drafts } from '../../../web/src/chat/drafts.js'

const original = { id: 'm1', sequence: 1 }

describe('what was begun to be written', () => {
  it('is not shown in another conversation', () => {
    const drafts = new Drafts()
    drafts.keep('ward', { body: 'Dry and' })
    expect(drafts.of('office')).toEqual({ body: '', replyTo: null })
    expect(drafts.of('ward')).toEqual({ body: 'Dry and', replyTo: null })
  })

  it('keeps what it replies to, whichever of the two is changed', () => {
    const drafts = new Drafts()
    drafts.keep('ward', { replyTo: original })
    drafts.keep('ward', { body: 'Dry and' })
    drafts.keep('ward', { body: 'Dry and closed.' })
    expect(drafts.of('ward')).toEqual({ body: 'Dry and closed.', replyTo: original })
    drafts.keep('ward', { replyTo: null })
    expect(drafts.of('ward')).toEqual({ body: 'Dry and closed.', replyTo: null })
  })

  it('is gone once it is sent, once one is not in the conversation any more, and once the session is over', () => {
    const drafts = new Drafts()
    for (const conversation of ['ward', 'office', 'archive'])
      drafts.keep(conversation, { body: 'Dry', replyTo: original })
    drafts.keep('ward', { body: '', replyTo: null })
    expect(drafts.of('ward').body).toBe('')
    drafts.drop('archive')
    expect(drafts.of('archive').body).toBe('')
    drafts.clear()
    expect(drafts.of('office')).toEqual({ body: '', replyTo: null })
  })
})
