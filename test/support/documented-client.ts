import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** An application around one of the clients: it does what it is told on standard input, and says what happens. */
const APPLICATION = `
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
const { connect } = await import(process.argv[2])
const { page, follow, send, close } = connect({ url: process.env.URL, token: async () => readFileSync('token', 'utf8') })
const say = (said) => console.log(JSON.stringify(said))
const commands = {
  async follow(id) {
    const { eventCursor, messages } = await page(id)
    say({ page: messages.nodes })
    const over = (error) => say({ over: error ? String(error?.[0]?.message ?? error?.message ?? error?.reason) : null })
    follow(id, eventCursor, (event) => say({ event })).then(() => over(null), over)
  },
  send: async (id, body) => say({ sent: await send(id, body) }),
  close
}
for await (const line of createInterface(process.stdin)) {
  const [name, ...args] = JSON.parse(line)
  Promise.resolve(commands[name](...args)).catch((error) => say({ over: String(error?.message ?? error) }))
}
process.exit()
`

interface Said {
  page?: { body: string | null }[]
  event?: { type: string; message: { sequence: number; body: string | null } }
  sent?: { sequence: number; body: string }
  /** Why following is over; null when it has come to its natural end. */
  over?: string | null
}

/** A client of docs/clients.md, in a process of its own, as it stands there. */
export class DocumentedClient {
  readonly #folder = mkdtempSync(join(tmpdir(), 'conclave-client-'))
  readonly #process: ChildProcess
  readonly #said: AsyncIterator<string>
  #complaints = ''

  /** @param file name in the first line of its block */
  constructor(file: string, url: string, token: string) {
    for (const [name, code] of codeBlocks()) writeFileSync(join(this.#folder, name), code)
    writeFileSync(join(this.#folder, 'application.mjs'), APPLICATION)
    symlinkSync(join(PROJECT, 'node_modules'), join(this.#folder, 'node_modules'))
    this.useToken(token)
    const env = { PATH: process.env.PATH ?? '', URL: url }
    this.#process = spawn(process.execPath, ['application.mjs', `./${file}`], { cwd: this.#folder, env })
    this.#process.stderr?.on('data', (chunk) => (this.#complaints += chunk))
    this.#said = createInterface(this.#process.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
  }

  /** What `token()` gives from now on. */
  useToken(token: string): void {
    writeFileSync(join(this.#folder, 'token'), token)
  }

  tell(...command: [name: 'follow' | 'send' | 'close', ...args: string[]]): void {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  /** The next thing that it says. */
  async said(): Promise<Said> {
    const { done, value } = await this.#said.next()
    if (done) throw new Error(`the client has ended:\n${this.#complaints}`)
    return JSON.parse(value)
  }

  /** So many events, as `TYPE sequence body`; nothing else may be said in between. */
  async events(count: number): Promise<string[]> {
    const events: string[] = []
    while (events.length < count) {
      const { event, ...other } = await this.said()
      if (!event) throw new Error(`not an event: ${JSON.stringify(other)}\n${this.#complaints}`)
      events.push(`${event.type} ${event.message.sequence} ${event.message.body}`)
    }
    return events
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill()
      await once(this.#process, 'exit')
    }
    rmSync(this.#folder, { recursive: true })
  }
}

/** The files of docs/clients.md by their names. */
export function codeBlocks(): Map<string, string> {
  const page = readFileSync(join(PROJECT, 'docs', 'clients.md'), 'utf8')
  return new Map([...page.matchAll(/```js\n\/\/ (\S+)\n(.*?)```/gs)].map(([, name = '', code = '']) => [name, code]))
}
