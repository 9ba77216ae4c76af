import type { Config } from '../../src/config.js'
import { bootConclave, type TestConclave } from './boot.js'
import { readBack, send } from './chat.js'
import type { GraphQLClient } from './graphql-client.js'

interface Process {
  conclave: TestConclave
  /** Requests that are under way in it. */
  busy: Set<Promise<unknown>>
  isServing: boolean
}

/** Two API processes on one database, restarted one after the other while clients go on: one of them always serves. */
export class RollingPair {
  readonly #processes: Process[]
  #working = true
  readonly #work: Promise<void>[] = []
  readonly #failures: Error[] = []

  private constructor(conclaves: TestConclave[]) {
    this.#processes = conclaves.map((conclave) => ({ conclave, busy: new Set(), isServing: true }))
  }

  static async boot(overrides: Partial<Config>, variables: NodeJS.ProcessEnv): Promise<RollingPair> {
    const first = await bootConclave(overrides, variables)
    return new RollingPair([first, await bootConclave({ ...overrides, databaseUrl: first.database.url }, variables)])
  }

  /** The one that has the database. */
  get first(): TestConclave {
    const [first] = this.#processes
    if (!first) throw new Error('there are two')
    return first.conclave
  }

  /** A rolling restart with another environment. */
  async restart(variables: NodeJS.ProcessEnv): Promise<void> {
    for (const process of this.#processes) {
      process.isServing = false
      await Promise.allSettled([...process.busy])
      await process.conclave.restart({ databaseUrl: this.first.database.url }, variables)
      process.isServing = true
    }
  }

  /** Runs a request on a process that serves. */
  async run<T>(userId: string, request: (client: GraphQLClient) => Promise<T>): Promise<T> {
    const serving = this.#processes.filter(({ isServing }) => isServing)
    const process = serving[Math.floor(Math.random() * serving.length)]
    if (!process) throw new Error('one of them always serves')
    const running = process.conclave.as(userId).then(request)
    const settled = running.then(
      () => {},
      () => {}
    )
    process.busy.add(settled)
    try {
      return await running
    } finally {
      process.busy.delete(settled)
    }
  }

  /**
   * Has members send into conversations and read them back until {@link stop}, here and there. What failed is what
   * `stop` returns.
   *
   * @param sent every body by conversation, in its order; the new ones are added
   */
  work(userId: string, sent: Map<string, string[]>): void {
    const ids = [...sent.keys()]
    const one = () => ids[Math.floor(Math.random() * ids.length)] ?? ''
    this.#work.push(
      this.#again(async () => {
        const id = one()
        const body = `sent meanwhile in ${id}`
        await this.run(userId, (client) => send(client, id, body))
        sent.get(id)?.push(body)
      }),
      this.#again(async () => {
        const id = one()
        const messages = await this.run(userId, (client) => readBack(client, id))
        const closed = messages.filter(({ status }) => status !== 'READABLE')
        if (closed.length > 0) throw new Error(`${closed.length} messages of ${id} could not be read`)
      })
    )
  }

  async stop(): Promise<Error[]> {
    this.#working = false
    await Promise.all(this.#work)
    return this.#failures
  }

  async close(): Promise<void> {
    await this.stop()
    for (const { conclave } of [...this.#processes].reverse()) await conclave.close()
  }

  async #again(request: () => Promise<void>): Promise<void> {
    while (this.#working) {
      await request().catch((error) => this.#failures.push(error))
      // Others have their turn: the machine is small, and what counts is that none fails.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
