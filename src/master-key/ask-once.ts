/** Asks once and remembers the answer, for what does not change; a failure is not remembered. */
export function askOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | null = null
  return async () => {
    if (asked) return await asked
    const asking = ask()
    asked = asking
    try {
      return await asking
    } catch (error) {
      if (asked === asking) asked = null
      throw error
    }
  }
}
