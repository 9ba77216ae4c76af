import { hash } from 'node:crypto'
import { BadUserInput } from '../errors.js'
import { isUserId } from '../identity/user-id.js'
import { isConversationId } from './ids.js'

/** What a cursor counts. One kind is not accepted in the place of another. */
export type CursorKind = 'message' | 'event' | 'member' | 'conversation' | 'key' | 'key-event'

/** In the one way that a number is written here: `007` would be a second cursor of the same place. */
const COUNT = /^(0|[1-9]\d{0,14})$/

/** Whether a text is a position of a list of this kind: a number, or a time and an id. */
const IS_POSITION: Record<CursorKind, (text: string) => boolean> = {
  message: (text) => isCount(text, 2 ** 31 - 1),
  event: (text) => isCount(text),
  member: (text) => hasTime(text, isUserId),
  conversation: (text) => hasTime(text, isConversationId),
  key: (text) => isCount(text.slice(37), 999_999_999) && text[36] === ' ' && isConversationId(text.slice(0, 36)),
  'key-event': isKeyEventPosition
}

function isCount(text: string, max = Number.MAX_SAFE_INTEGER): boolean {
  return COUNT.test(text) && Number(text) <= max
}

/** The place in one conversation, or in each of the sixteen chains. */
function isKeyEventPosition(text: string): boolean {
  const places = text.split(' ', 17)
  return (places.length === 1 || places.length === 16) && places.every((place) => isCount(place))
}

/** A time as `toISOString` has it, of the years that PostgreSQL takes as well. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

function hasTime(text: string, isId: (id: string) => boolean): boolean {
  const time = text.slice(0, 24)
  return TIME.test(time) && isCanonicalTime(time) && text[24] === ' ' && isId(text.slice(25))
}

function isCanonicalTime(time: string): boolean {
  const instant = new Date(time)
  return !Number.isNaN(instant.getTime()) && instant.toISOString() === time
}

const VERSION = 1
const CHECK_BYTES = 8

/**
 * A position in a list, opaque to clients: base64url of `version ‖ check ‖ position`. The check is a
 * hash over kind, scope and position: a mangled cursor, or one of another list, is told apart without
 * looking anything up. It guards against mistakes and not against forgery, which would gain nothing:
 * a cursor is a position, and what may be read from there is decided anew each time.
 *
 * @param scope id of the conversation, or of the viewer for the list of conversations
 */
export function encodeCursor(kind: CursorKind, scope: string, position: string): string {
  return Buffer.concat([Uint8Array.of(VERSION), check(kind, scope, position), Buffer.from(position)]).toString(
    'base64url'
  )
}

/** @throws BadUserInput naming `field` when the cursor is not one that this list gave out */
export function decodeCursor(kind: CursorKind, scope: string, field: string, cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.subarray(1 + CHECK_BYTES).toString()
  if (encodeCursor(kind, scope, position) !== cursor || !IS_POSITION[kind](position)) {
    throw new BadUserInput(field, 'This is not a cursor of this list. Pass one on exactly as it was received.')
  }
  return position
}

function check(kind: CursorKind, scope: string, position: string): Buffer {
  const parts = [kind, scope, position].map((part) => `${Buffer.byteLength(part)}:${part}`)
  return hash('sha256', parts.join(), 'buffer').subarray(0, CHECK_BYTES)
}
