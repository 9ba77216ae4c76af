import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Texts of operations by their ids. */
export type OperationList = ReadonlyMap<string, string>

const filled = z.string('must be a text').min(1, 'must not be empty')

/** Apollo's persisted query manifest: what its tools and those of other clients write. */
const manifest = z.object(
  {
    format: z.literal('apollo-persisted-query-manifest', 'must be "apollo-persisted-query-manifest"'),
    version: z.literal(1, 'must be 1'),
    operations: z.array(
      z.object({ id: filled, body: filled }, 'must be an object with id, name, type and body'),
      'must be a list'
    )
  },
  'must be an object'
)

/**
 * Reads the operations of a manifest.
 *
 * @param path as `PERSISTED_QUERIES` gives it
 * @param problems takes a sentence for each that the file has
 */
export function readOperationList(path: string, problems: string[]): OperationList {
  const list = new Map<string, string>()
  const add = (problem: string) => void problems.push(`PERSISTED_QUERIES ${problem}.`)
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    add(error instanceof SyntaxError ? `${path} is not JSON` : `${path} cannot be read (${codeOf(error)})`)
    return list
  }
  const { data, error } = manifest.safeParse(content)
  for (const { path: place, message } of error?.issues ?? []) add(`${path}: ${[...place, message].join(' ')}`)
  for (const [index, { id, body }] of data?.operations.entries() ?? []) {
    if (list.has(id)) add(`${path}: operations ${index} has an id that another one has`)
    list.set(id, body)
  }
  return list
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}
