import { createHash } from 'node:crypto'

/** A user id may be long, and is nobody's business in Redis. */
export function shortenedId(userId: string): string {
  return createHash('sha256').update(userId).digest('base64url').slice(0, 22)
}
