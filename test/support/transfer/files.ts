/** A file as it is read, in pieces that end anywhere. */
export async function* fileOf(content: string | Buffer | readonly string[], pieceBytes = 1000): AsyncGenerator<Buffer> {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from([content].flat().join(''))
  for (let start = 0; start < bytes.length; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes)
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Everything that a generator yields, and what it returns. */
export async function drained<T, R>(items: AsyncGenerator<T, R>): Promise<{ yielded: T[]; returned: R }> {
  const yielded: T[] = []
  for (;;) {
    const { done, value } = await items.next()
    if (done) return { yielded, returned: value }
    yielded.push(value)
  }
}
