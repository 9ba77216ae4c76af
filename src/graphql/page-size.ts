import { BadUserInput } from '../errors.js'

/** Items of one page at most. */
export const MAX_PAGE = 200

/** @throws BadUserInput naming `field` for a page size that is not 1 to {@link MAX_PAGE} */
export function requirePageSize(field: string, size: number): number {
  if (size < 1 || size > MAX_PAGE) throw new BadUserInput(field, `A page has 1 to ${MAX_PAGE} items.`)
  return size
}
