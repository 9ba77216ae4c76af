const KINDS = [() => {}, async () => {}, function* () {}, async function* () {}]

/**
 * From now on no text becomes code: not by `eval`, not by `new Function`, nor by the `constructor` of some function that
 * an attacker gets at through an object. What has been made from text before goes on. It is V8's
 * `--disallow-code-generation-from-strings`, begun after the start: libraries make code while they start.
 */
export function refuseCodeFromStrings(): void {
  const refuse = () => {
    throw new EvalError('No code is made from text here (CODE_FROM_STRINGS is refused).')
  }
  for (const kind of KINDS) {
    const prototype: { constructor: object } = Object.getPrototypeOf(kind)
    const value = new Proxy(prototype.constructor, { apply: refuse, construct: refuse })
    Object.defineProperty(prototype, 'constructor', { value, writable: false, configurable: false })
  }
  Object.defineProperty(globalThis, 'Function', { value: Function.prototype.constructor })
  Object.defineProperty(globalThis, 'eval', { value: refuse })
}

/**
 * From now on nothing can be added to what all objects inherit from, nor taken away from it. Freezing it as well would
 * forbid objects to have a `toString` or `constructor` of their own by assignment, which libraries do.
 */
export function sealIntrinsics(): void {
  for (const intrinsic of [
    Object,
    Array,
    Function,
    String,
    Number,
    Boolean,
    Promise,
    Map,
    Set,
    RegExp,
    Error,
    Uint8Array
  ]) {
    Object.seal(intrinsic.prototype)
  }
}
