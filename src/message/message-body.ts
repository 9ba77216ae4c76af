import { BadUserInput } from '../errors.js'
import { isStorableText } from '../identity/user-id.js'

const MAX_CLIENT_MESSAGE_ID_BYTES = 128

/**
 * @returns the body in UTF-8: exactly what comes back to a reader. The caller overwrites it once it is encrypted.
 * @throws BadUserInput naming `field`
 */
export function requireBody(field: string, body: string, maxBytes: number): Buffer {
  if (!body.isWellFormed()) {
    // Encoding it would silently put U+FFFD in the place of the surrogate.
    throw new BadUserInput(field, 'The body is not well-formed Unicode: it has a lone surrogate.')
  }
  if (isBlank(body)) throw new BadUserInput(field, 'The body must have a character that is not white space.')
  const length = Buffer.byteLength(body, 'utf8')
  if (length > maxBytes)
    throw new BadUserInput(field, `The body has ${length} bytes in UTF-8; at most ${maxBytes} are allowed.`)
  return Buffer.from(body, 'utf8')
}

/** Says nothing: nobody can send it. */
export function isBlank(body: string): boolean {
  return body.trim() === ''
}

/** @throws BadUserInput naming `field` */
export function requireClientMessageId(field: string, id: string): string {
  if (id === '' || !isStorableText(id) || Buffer.byteLength(id) > MAX_CLIENT_MESSAGE_ID_BYTES) {
    throw new BadUserInput(
      field,
      `A client message id has 1 to ${MAX_CLIENT_MESSAGE_ID_BYTES} bytes and no control characters.`
    )
  }
  return id
}
