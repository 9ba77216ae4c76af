import { createRequire } from 'node:module'
import pg from 'pg'
import { vi } from 'vitest'

interface Query {
  text?: string
  name?: string
}

/** Statements that this process sends to PostgreSQL, whoever sends them: hot statements and the ORM alike. */
export class StatementCounter {
  readonly #spies = [pg, ormPg()].map(({ Client }) => vi.spyOn(Client.prototype, 'query'))

  /**
   * Runs an operation.
   *
   * @returns its result, and the statements that it took, transactions included: the name of a hot one, or its first words
   */
  async during<T>(operate: () => Promise<T>): Promise<{ result: T; statements: string[] }> {
    for (const spy of this.#spies) spy.mockClear()
    const result = await operate()
    const sent = this.#spies.flatMap((spy) => spy.mock.calls.map(([query]) => query as unknown as Query | string))
    return { result, statements: sent.filter((query) => !isOfSignals(query)).map(nameOf) }
  }

  close(): void {
    for (const spy of this.#spies) spy.mockRestore()
  }
}

/** The ORM has a copy of the driver of its own. */
function ormPg(): typeof pg {
  const orm = createRequire(import.meta.url).resolve('@mikro-orm/postgresql')
  return createRequire(orm)('pg')
}

/** Signals go on a connection of their own, after the answer, and over Redis where there is one. */
function isOfSignals(query: Query | string): boolean {
  return typeof query !== 'string' && (query.name === 'notify' || query.text === 'select')
}

function nameOf(query: Query | string): string {
  const { name, text = '' } = typeof query === 'string' ? { text: query } : query
  if (name !== undefined) return name
  return text
    .trim()
    .replaceAll('"', '')
    .split(/[\s(]+/)
    .slice(0, 3)
    .join(' ')
}
