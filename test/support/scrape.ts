/** What `/metrics` answers, in the text format of Prometheus. */
export class Scrape {
  readonly text: string
  readonly #samples: { name: string; labels: Record<string, string>; value: number }[]

  constructor(text: string) {
    this.text = text
    this.#samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(sampleOf)
  }

  /** By the lines that declare them, whether or not there is a value. */
  get names(): string[] {
    return [...this.text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name)
  }

  /** Everything that Prometheus keeps apart. */
  get series(): string[] {
    return this.#samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
  }

  /** The sum of the samples that have these labels, and any others; null where there is none. */
  value(name: string, labels: Record<string, string> = {}): number | null {
    const found = this.#samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
    )
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0)
  }

  /** How much more it is than it was; from nothing counts as from zero. */
  since(before: Scrape, name: string, labels: Record<string, string> = {}): number {
    return (this.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
  }
}

/** @param url of a server, or of its metrics */
export async function scrape(url: string, token?: string): Promise<Scrape> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(new URL('/metrics', url), { headers })
  if (response.status !== 200) throw new Error(`metrics cannot be read: ${response.status}`)
  return new Scrape(await response.text())
}

function sampleOf(line: string) {
  const [, name = '', inner = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
  const labels = [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text])
  return { name, labels: Object.fromEntries(labels), value: Number(value) }
}
