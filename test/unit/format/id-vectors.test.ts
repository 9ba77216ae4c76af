import { describe, expect, it } from 'vitest'
import { readVectors } from '../../../scripts/vectors/vector-files.js'
import { BadUserInput } from '../../../src/errors.js'
import { decodeCursor, encodeCursor } from '../../../src/graphql/cursor.js'
import { decodeMessageId, encodeMessageId } from '../../../src/graphql/ids.js'
import { ImportIds } from '../../../src/transfer/import-ids.js'
import { thrownBy } from '../failures.js'

describe('a cursor that was given out once', () => {
  it.each(readVectors('cursors').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, { result, kind, scope, cursor, position }) => {
      const decode = () => decodeCursor(kind, scope, 'after', cursor)
      if (result === 'invalid') return expect(thrownBy(decode)).toBeInstanceOf(BadUserInput)
      expect(decode()).toBe(position)
      expect(encodeCursor(kind, scope, position ?? '')).toBe(cursor)
    }
  )
})

describe('the id of a message that was given out once', () => {
  it.each(readVectors('message-ids').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, { id, conversationId, messageId }) => {
      if (conversationId === null || messageId === null) return expect(decodeMessageId(id)).toBeNull()
      expect(decodeMessageId(id)).toEqual({ conversationId, messageId })
      expect(encodeMessageId({ conversationId, messageId })).toBe(id)
    }
  )
})

describe('the id of what was imported once', () => {
  it.each(readVectors('import-ids').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, { result, source, conversationId, reference, line, id }) => {
      const ids = new ImportIds(source)
      const given =
        conversationId === null
          ? ids.conversation(reference ?? '')
          : ids.message(conversationId, reference ?? undefined, line)
      expect(given === id).toBe(result === 'valid')
    }
  )
})
