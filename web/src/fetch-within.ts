/** @returns a `fetch` that gives up what was not answered in this time */
export function fetchWithin(ms: number): typeof fetch {
  return async (input, init) => {
    const late = AbortSignal.timeout(ms)
    return await fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, late]) : late })
  }
}
