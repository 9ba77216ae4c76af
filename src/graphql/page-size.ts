import { BadUserInput } from '../errors.js'

/** Items of one page at most. */
export const MAX_PAGE = 200

/** @throws BadUserInput naming `field` for a page size that is not 1 to {@link MAX_PAGE} */
export function requirePageSize(field: string, size: number): number {
  if (size < 1 || size > MAX_PAGE) throw new BadUserInput(field, `A page has 1 to ${MAX_PAGE} items.`)
  return size
}

/** A page of a list that can be read from either end. @throws BadUserInput for both sizes, or for neither */
export function requireOneSize(
  first: number | null | undefined,
  last: number | null | undefined
): { size: number; from: 'START' | 'END' } {
  if ((first == null) === (last == null)) throw new BadUserInput('first', 'Give either first or last.')
  if (first != null) return { size: requirePageSize('first', first), from: 'START' }
  return { size: requirePageSize('last', last ?? 0), from: 'END' }
}
