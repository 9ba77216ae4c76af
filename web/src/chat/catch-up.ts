/** So long after a beginning, others that belong to it have begun as well. */
const TOGETHER_MS = 300

interface Page {
  nodes: readonly { id: string; eventCursor: string }[]
  /** Cursor of the next one; null behind the last. */
  next: string | null
}

interface Source {
  /** How far each conversation in the list was told, by its id. */
  cursors(): ReadonlyMap<string, string>
  /** Takes a page of the list as it is now, the latest activity first. */
  read(after: string | null): Promise<Page>
  persistently(attempt: () => Promise<void>, signal: AbortSignal): Promise<void>
}

/**
 * Looks in the list for what was told to nobody while a connection was lost: of conversations that were not listed no
 * event is resumed. Several subscriptions begin anew after that, and the list is read once, after all of them.
 */
export class CatchUp {
  readonly #source: Source
  /** How far everything was told before the loss that was not caught up with yet. */
  #known: ReadonlyMap<string, string> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #look = new AbortController()

  constructor(source: Source) {
    this.#source = source
  }

  /**
   * Something will be resumed: what is told by that does not say how far the rest was told. What is looked for at this
   * moment is looked for when something has begun.
   */
  note(): void {
    this.#known ??= new Map(this.#source.cursors())
    this.end()
  }

  /** Something has begun: what happens from now on is told. */
  begin(): void {
    this.note()
    this.#timer = setTimeout(() => void this.#run().catch(() => {}), TOGETHER_MS)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#look.abort()
  }

  async #run(): Promise<void> {
    this.#look = new AbortController()
    const { signal } = this.#look
    await this.#source.persistently(() => this.#readUpToKnown(signal), signal)
    if (!signal.aborted) this.#known = null
  }

  /** What has happened is before the first conversation in which nothing has. */
  async #readUpToKnown(signal: AbortSignal): Promise<void> {
    let after: string | null = null
    do {
      const { nodes, next }: Page = await this.#source.read(after)
      const isCaughtUp = nodes.some(({ id, eventCursor }) => this.#known?.get(id) === eventCursor)
      after = isCaughtUp ? null : next
    } while (after !== null && !signal.aborted)
  }
}
