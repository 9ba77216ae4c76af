import { describe, expect, it } from 'vitest'
import { requireTitle } from '../../../src/conversation/title.js'
import { expectBadUserInput, thrownBy } from '../failures.js'

describe('a title', () => {
  it.each([
    ['a lone surrogate', 'a\ud800', 'The title is not well-formed Unicode: it has a lone surrogate.'],
    ['nothing', '', 'A title must have a visible character; leave it out for none.'],
    ['white space only', ' \t\n\u3000', 'A title must have a visible character; leave it out for none.'],
    ['1025 bytes', 'x'.repeat(1025), 'A title has at most 1024 bytes in UTF-8.'],
    ['1026 bytes in 342 characters', '€'.repeat(342), 'A title has at most 1024 bytes in UTF-8.']
  ])('is refused with %s', (_, title, message) => {
    expectBadUserInput(
      thrownBy(() => requireTitle('input.title', title)),
      'input.title',
      message
    )
  })

  it.each(['x', 'x'.repeat(1024), 'é'.repeat(512), '  Case 4711 / Müller ', 'e\u0301'])(
    'is kept as it is when it is %j',
    (title) => {
      expect(requireTitle('title', title)).toBe(title)
    }
  )
})
