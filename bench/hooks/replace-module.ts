import { registerHooks } from 'node:module'

/**
 * Has every module of the built program but the replacement itself find another one in the place of `original`.
 *
 * @param original for instance `src/crypto/content-encryption.js`
 * @param replacement a module of bench/
 */
export function replaceModule(original: string, replacement: string): void {
  const from = new URL(`../../${original}`, import.meta.url).href
  const to = new URL(`../${replacement}`, import.meta.url).href
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      return resolved.url === from && context.parentURL !== to ? { ...resolved, url: to } : resolved
    }
  })
}
