import type { ChildOptions, ChildProgram } from './child-program.js'
import type { Extent, Load } from './load/http-load.js'
import type { Request } from './operations.js'
import type { ApiProcess, BenchDatabase, Stage } from './stage.js'

/** An API process on a database of its own, and a process that sends requests to it. */
export class HttpSide {
  private constructor(
    readonly database: BenchDatabase,
    readonly api: ApiProcess,
    readonly load: ChildProgram
  ) {}

  static async open(
    stage: Stage,
    database: BenchDatabase,
    { requests, atOnce, ...options }: ChildOptions & { requests: Request[]; atOnce: number }
  ): Promise<HttpSide> {
    const api = await stage.api(database, options)
    const load = await stage.child('load/http-load.js')
    await load.call('aim', { url: api.url, requests, atOnce })
    return new HttpSide(database, api, load)
  }

  async run(extent: Extent): Promise<Load> {
    return await this.load.call<Load>('run', extent)
  }

  async perSecond(extent: Extent): Promise<number> {
    return (await this.run(extent)).perSecond
  }

  async close(): Promise<void> {
    await this.load.close()
    await this.api.close()
    await this.database.drop()
  }
}
