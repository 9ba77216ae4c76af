import { registerHooks } from 'node:module'

/**
 * Has every module of the built program but the replacement itself find another one in the place of `original`.
 *
 * The types keep the two alike: what the one exports and the other does not is found by the compiler.
 *
 * @param original for instance `src/crypto/content-encryption.js`
 * @param replacement a module of bench/
 */
export function replaceModule<Original, _Replacement extends Record<keyof Original, unknown>>(
  original: string,
  replacement: string
): void {
  const from = new URL(`../../${original}`, import.meta.url).href
  const to = new URL(`../${replacement}`, import.meta.url).href
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      return resolved.url === from && context.parentURL !== to ? { ...resolved, url: to } : resolved
    }
  })
}
