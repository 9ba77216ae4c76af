import { vi } from 'vitest'

/**
 * What is overwritten with zeros from now on, each as it was before. Ended by `vi.restoreAllMocks()`, which has to come
 * in any case.
 */
export function noteOverwritten(): Buffer[] {
  const overwritten: Buffer[] = []
  for (const prototype of [Buffer.prototype, Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array]) {
    const fill: (this: Uint8Array, ...args: unknown[]) => Uint8Array = prototype.fill
    vi.spyOn(prototype, 'fill').mockImplementation(function (this: Uint8Array, ...args: unknown[]) {
      if (args.length === 1 && args[0] === 0) overwritten.push(Buffer.from(this))
      return Reflect.apply(fill, this, args)
    } as typeof prototype.fill)
  }
  return overwritten
}
