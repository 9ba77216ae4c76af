import { BadUserInput } from '../errors.js'

const MAX_BYTES = 255

/** The audit trail calls the schedule by this name: no user can have it. */
const RESERVED = 'scheduler'

/** Whether a text can be a user id: the `sub` of a token (RFC 7519, section 4.1.2), kept as it is. */
export function isUserId(text: string): boolean {
  return text !== RESERVED && isName(text)
}

/** Whether a text can be shown as the name of a user, and kept. */
export function isName(text: string): boolean {
  return text !== '' && isStorableText(text) && Buffer.byteLength(text) <= MAX_BYTES
}

/** @throws BadUserInput naming `field` */
export function requireUserId(field: string, text: string): string {
  if (text === RESERVED)
    throw new BadUserInput(field, `"${RESERVED}" is not the id of a user: the audit trail calls the schedule so.`)
  if (!isUserId(text)) throw new BadUserInput(field, `A user id has 1 to ${MAX_BYTES} bytes and no control characters.`)
  return text
}

/** Well-formed Unicode without control characters: PostgreSQL's text cannot hold U+0000 nor lone surrogates. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text)
}
