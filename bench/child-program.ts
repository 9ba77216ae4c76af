import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Answer, Call } from './answer-calls.js'

export interface ChildOptions {
  /** Modules of bench/ that are loaded first, for instance `hooks/copying-cipher.js`. */
  imports?: string[]
  args?: string[]
  env?: Record<string, string>
  /** For Node itself, such as `--expose-gc`. */
  nodeArgs?: string[]
}

const POLL_MS = 20
const KILL_MS = 10_000

/** A process of this benchmark: a module that answers calls (see answer-calls.ts). It ends with its parent. */
export class ChildProgram {
  readonly #process: ChildProcess
  readonly #output: string
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0
  readonly ended: Promise<void>

  constructor(module: URL, folder: string, { imports = [], args = [], env = {}, nodeArgs = [] }: ChildOptions) {
    this.#output = join(folder, `${randomUUID()}.log`)
    // A file and no pipe: whoever reads it would have a part in what is measured.
    const output = openSync(this.#output, 'a', 0o600)
    const importArgs = imports.map((path) => `--import=${new URL(path, import.meta.url).href}`)
    this.#process = spawn(
      process.execPath,
      ['--enable-source-maps', ...nodeArgs, ...importArgs, fileURLToPath(module), ...args],
      { stdio: ['ignore', output, output, 'ipc'], env: { PATH: process.env.PATH ?? '', ...env } }
    )
    closeSync(output)
    this.#process.on('message', (answer: Answer) => this.#settle(answer))
    this.ended = once(this.#process, 'exit').then(() => {
      for (const { reject } of this.#waiting.values()) reject(this.#endedEarly())
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Calls a function that the module answers with. Arguments and results are JSON. */
  async call<Result>(name: string, argument?: unknown): Promise<Result> {
    if (!this.#process.connected) throw this.#endedEarly()
    const waiting = Promise.withResolvers<unknown>()
    const id = ++this.#calls
    this.#waiting.set(id, waiting)
    this.#process.send({ id, name, argument } satisfies Call)
    return (await waiting.promise) as Result
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }

  /** Waits until it has printed what a pattern finds. @returns the first group of it */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(readFileSync(this.#output, 'utf8'))?.[1]
      if (found !== undefined) return found
      if (!this.#process.connected) throw this.#endedEarly()
      await delay(POLL_MS)
    }
  }

  #endedEarly(): Error {
    return new Error(`a process has ended:\n${readFileSync(this.#output, 'utf8').slice(-2000)}`)
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM')
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), KILL_MS)
    await this.ended
    clearTimeout(kill)
  }
}
