import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const SOURCES = [
  'package.json',
  'bin',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
  'jobs',
  'migrations',
  'scripts',
  'examples',
  // Of which the pages are built.
  'documents',
  'web',
  // The set-up of the tests has built them; each copy would take seconds to do it again.
  'dist/web',
  'dist/web.sha256',
  'dist/explorers',
  'dist/explorers.sha256'
]

export interface Finished {
  code: number | null
  output: string
}

/** What a command has left behind. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** The program in a folder of its own, as after `npm ci`: what a user who has just cloned it would run. */
export class InstalledProgram {
  readonly folder: string
  readonly #running: RunningProgram[] = []

  /** @param mode of the folder: 0o700 is one that only its owner can enter */
  constructor(mode = 0o700) {
    this.folder = mkdtempSync(join(tmpdir(), 'conclave-program-'))
    chmodSync(this.folder, mode)
    for (const name of SOURCES) cpSync(join(PROJECT, name), join(this.folder, name), { recursive: true })
    symlinkSync(join(PROJECT, 'node_modules'), join(this.folder, 'node_modules'))
  }

  /** One in which `npm start` was run before. What was built once in a run of the tests is not built again. */
  static async built(mode?: number): Promise<InstalledProgram> {
    const program = new InstalledProgram(mode)
    const dist = join(program.folder, 'dist')
    const built = join(inject('builds'), 'dist')
    if (existsSync(built)) {
      cpSync(built, dist, { recursive: true })
      return program
    }
    const { code, output } = await program.run(['run', 'build:server'])
    if (code !== 0) throw new Error(output)
    const copy = join(mkdtempSync(join(inject('builds'), 'copy-')), 'dist')
    cpSync(dist, copy, { recursive: true })
    try {
      // Whole, or not at all.
      renameSync(copy, built)
    } catch {
      // Another test was first.
    }
    return program
  }

  /** `npm start` with an environment that holds nothing but `env` and what npm itself needs. */
  start(env: Record<string, string> = {}): RunningProgram {
    const program = new RunningProgram(
      spawn('npm', ['start'], { cwd: this.folder, env: { ...bareEnvironment(), ...env }, detached: true })
    )
    this.#running.push(program)
    return program
  }

  /** A worker alone, of a program that was built. */
  startWorker(env: Record<string, string>, flags: string[] = []): RunningProgram {
    return this.#startPart('worker', env, flags)
  }

  /** An API process alone, likewise. @param flags of node */
  startApi(env: Record<string, string>, flags: string[] = []): RunningProgram {
    return this.#startPart('api', env, flags)
  }

  /** A command, likewise. @param env beside what a shell has; @param flags of node */
  startCommand(args: string[], env: Record<string, string>, flags: string[] = []): RunningProgram {
    return this.#startCompiled([...flags, join('dist', 'src', 'conclave.js'), ...args], env)
  }

  /**
   * Runs the command of a program that was built to its end, as a shell does that finds it in its PATH.
   *
   * @param input for its standard input, which is no terminal
   */
  async command(args: string[], env: Record<string, string> = {}, input = ''): Promise<Ended> {
    const options = { cwd: this.folder, env: { ...bareEnvironment(), ...env } }
    const child = spawn(join(this.folder, 'bin', 'conclave'), args, options)
    child.stdin.on('error', () => {}).end(input)
    const ended: Ended = { code: null, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (ended.stdout += chunk))
    child.stderr.on('data', (chunk) => (ended.stderr += chunk))
    const [code] = await once(child, 'close')
    return { ...ended, code }
  }

  #startPart(part: 'api' | 'worker', env: Record<string, string>, flags: string[]): RunningProgram {
    return this.#startCompiled([...flags, join('dist', 'src', 'main.js'), part], env)
  }

  #startCompiled(command: string[], env: Record<string, string>): RunningProgram {
    const options = { cwd: this.folder, env: { ...bareEnvironment(), ...env }, detached: true }
    const program = new RunningProgram(spawn(process.execPath, command, options))
    this.#running.push(program)
    return program
  }

  /** Runs an npm script to its end. */
  async run(args: string[], env: Record<string, string> = {}): Promise<Finished> {
    return await new Promise((resolve) => {
      execFile('npm', args, { cwd: this.folder, env: { ...bareEnvironment(), ...env } }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr })
      )
    })
  }

  /** Where the database's files are: in the data folder, or where its link leads. */
  get databaseFolder(): string {
    const path = join(this.folder, '.data', 'postgres')
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : path
  }

  async remove(): Promise<void> {
    for (const program of this.#running) await program.interrupt()
    if (existsSync(join(this.folder, '.data', 'postgres'))) rmSync(this.databaseFolder, { recursive: true })
    rmSync(this.folder, { recursive: true })
  }
}

export class RunningProgram {
  readonly #child: ChildProcess
  readonly #exit: Promise<number | null>
  #output = ''

  constructor(child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (this.#output += chunk))
    this.#exit = once(child, 'exit').then(([code]) => code)
  }

  /** Of the program itself, where npm is not around it. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Everything it printed and logged. */
  get output(): string {
    return this.#output
  }

  /** Waits until it says that it serves. */
  async ready(): Promise<string> {
    const serves = () => /GraphQL +(http:\/\/[^/]+)\/graphql/.exec(this.#output)?.[1]
    for (;;) {
      const url = serves()
      if (url) return url
      const over = await Promise.race([
        this.#exit.then(() => true),
        once(this.#child.stdout as NodeJS.ReadableStream, 'data').then(() => false)
      ])
      if (over && !serves()) throw new Error(`the program ended:\n${this.#output}`)
    }
  }

  /** Waits until it has printed a text. */
  async printed(text: string): Promise<void> {
    while (!this.#output.includes(text)) {
      const more = once(this.#child.stdout as NodeJS.ReadableStream, 'data').then(() => false)
      const over = await Promise.race([this.#exit.then(() => true), more])
      if (over && !this.#output.includes(text)) throw new Error(`the program ended:\n${this.#output}`)
    }
  }

  async finished(): Promise<Finished> {
    return { code: await this.#exit, output: this.#output }
  }

  /** What a supervisor sends that wants it to stop. */
  terminate(): void {
    this.#signal('SIGTERM')
  }

  send(signal: NodeJS.Signals): void {
    this.#signal(signal)
  }

  /** Ctrl-C in its terminal. */
  async interrupt(): Promise<Finished> {
    this.#signal('SIGINT')
    return await this.finished()
  }

  /** Pulls its plug: npm, the shell and the server at once. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#exit
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || !this.#child.pid) return
    process.kill(-this.#child.pid, signal)
  }
}

/** Whether nothing listens on a port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  // Of the two events one comes; waiting for 'listening' fails with the other.
  const free = await once(server, 'listening').then(
    () => true,
    () => false
  )
  server.close()
  return free
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/**
 * With one place for what Node has compiled: hundreds of processes of a run load the same modules. And with few key
 * pairs ahead of need: the sixteen of the default are ten seconds of a core that nobody takes a pair of.
 */
function bareEnvironment(): Record<string, string> {
  const cheap = { NODE_COMPILE_CACHE: join(inject('builds'), 'compiled'), KEY_POOL_TARGET: '2' }
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...cheap }
}
