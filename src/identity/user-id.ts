import { BadUserInput } from '../errors.js'

const MAX_BYTES = 255

/** The audit trail calls the schedule, and who works on the command line, by such names: no user can have them. */
const RESERVED = /^(scheduler|operator:.*)$/

/** Whether a text can be a user id: the `sub` of a token (RFC 7519, section 4.1.2), kept as it is. */
export function isUserId(text: string): boolean {
  return !RESERVED.test(text) && isName(text)
}

/** Whether a text can be shown as the name of a user, and kept. */
export function isName(text: string): boolean {
  return text !== '' && isStorableText(text) && Buffer.byteLength(text) <= MAX_BYTES
}

/** @throws BadUserInput naming `field` */
export function requireUserId(field: string, text: string): string {
  if (RESERVED.test(text))
    throw new BadUserInput(field, 'This is not the id of a user: the audit trail calls the schedule or an operator so.')
  if (!isUserId(text)) throw new BadUserInput(field, `A user id has 1 to ${MAX_BYTES} bytes and no control characters.`)
  return text
}

/** Well-formed Unicode without control characters: PostgreSQL's text cannot hold U+0000 nor lone surrogates. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text)
}
