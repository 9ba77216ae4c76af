import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'

/** A server that a test file has started: ended by its own id, and only that. */
export class StartedProcess {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>

  /** @param logFile takes what it prints: a pipe that nobody reads would stop it */
  constructor(command: string, args: string[], logFile: string, env: Record<string, string> = {}) {
    const log = openSync(logFile, 'a', 0o600)
    this.#child = spawn(command, args, { stdio: ['ignore', log, log], env: { PATH: process.env.PATH ?? '', ...env } })
    closeSync(log)
    this.#exit = once(this.#child, 'exit').catch((error: Error) => error)
  }

  /** Settles once `probe` no longer throws; throws when the process ends before. */
  async untilReady(probe: () => Promise<unknown>): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null || this.#child.pid === undefined) throw new Error('the server has ended')
      const ready = await probe().then(
        () => true,
        () => false
      )
      if (ready) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) this.#child.kill('SIGTERM')
    await this.#exit
  }
}
