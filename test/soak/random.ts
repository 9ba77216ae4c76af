import { createHash } from 'node:crypto'

/** From 0 to 1, the same sequence for the same seed. */
export type Random = () => number

export function randomFrom(seed: string): Random {
  let drawn = 0
  return () => createHash('sha256').update(`${seed} ${drawn++}`).digest().readUInt32BE() / 2 ** 32
}
