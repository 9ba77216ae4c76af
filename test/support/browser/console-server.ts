import { freePort, InstalledProgram, type RunningProgram } from '../program.js'

/** The program as it is installed, its API and its worker apart: one can be killed without the other. */
export class ConsoleServer {
  readonly url: string
  readonly program: InstalledProgram
  readonly #environment: Record<string, string>
  #api: RunningProgram

  private constructor(
    program: InstalledProgram,
    environment: Record<string, string>,
    url: string,
    api: RunningProgram
  ) {
    this.program = program
    this.#environment = environment
    this.url = url
    this.#api = api
  }

  static async start(variables: Record<string, string>): Promise<ConsoleServer> {
    const program = await InstalledProgram.built()
    const environment = {
      KEY_BITS: '2048',
      RATE_LIMITS: 'off',
      SCAN_EVERY: 'PT1S',
      PORT: String(await freePort()),
      ...variables
    }
    const api = program.startApi(environment)
    const url = await api.ready()
    program.startWorker(environment)
    return new ConsoleServer(program, environment, url, api)
  }

  async killApi(): Promise<void> {
    await this.#api.kill()
  }

  /** Again, on the same port. */
  async startApi(): Promise<void> {
    this.#api = this.program.startApi(this.#environment)
    await this.#api.ready()
  }

  /** Another API process on the same database. @returns its URL */
  async startBeside(variables: Record<string, string>): Promise<string> {
    const port = String(await freePort())
    return await this.program.startApi({ ...this.#environment, PORT: port, ...variables }).ready()
  }

  async stop(): Promise<void> {
    await this.program.remove()
  }
}
