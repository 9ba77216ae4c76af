import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** An application around one of the clients: it does what it is told on standard input, and says what happens. */
const APPLICATION = `
import { appendFileSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
const { connect } = await import(process.argv[2])
const token = async () => {
  appendFileSync('asked', '.')
  return readFileSync('token', 'utf8')
}
const silenceMs = process.env.SILENCE_MS ? Number(process.env.SILENCE_MS) : undefined
const client = connect({ url: process.env.URL, token, silenceMs })
const say = (said) => console.log(JSON.stringify(said))
const over = (error) => say({ over: error && { isError: error instanceof Error, code: error.code, message: error.message } })
const commands = {
  async follow(id, onEvent = (event) => say({ event })) {
    const { eventCursor, messages } = await client.page(id)
    say({ page: messages.nodes })
    client.follow(id, eventCursor, onEvent).then(() => over(null), over)
  },
  choke: (id) =>
    commands.follow(id, ({ message }) => {
      say({ choking: message.body })
      throw new RangeError('not to be taken')
    }),
  async inbox() {
    const points = await client.cursors()
    say({ inbox: points.size })
    client.followAll(points, (event) => say({ event })).then(() => over(null), over)
  },
  // What they leave to the application is global to it.
  async example(file, id) {
    const { eventCursor, messages } = await client.page(id)
    say({ page: messages.nodes })
    const session = { token }
    const draw = (messages) => say({ drawn: messages.map(({ body }) => body) })
    const show = (message) => draw([message])
    const kept = () => new Map([[id, eventCursor]])
    Object.assign(globalThis, { connect: () => client, session, id, draw, show, addWhereLacking: show, kept, tell: over })
    await import('./' + file)
  },
  page: async (id) => say({ page: (await client.page(id)).messages.nodes }),
  send: async (id, body) => say({ sent: await client.send(id, body) }),
  close: async () => client.close(),
  leave: async () => process.stdin.unref()
}
const lines = createInterface(process.stdin)
lines.on('line', (line) => {
  const [name, ...args] = JSON.parse(line)
  commands[name](...args).catch(over)
})
lines.on('close', () => process.exit())
`

interface Said {
  /** How many conversations there are. */
  inbox?: number
  /** Bodies of the messages that an example shows, in their order. */
  drawn?: (string | null)[]
  page?: { body: string | null }[]
  event?: { type: string; message: { sequence: number; body: string | null } }
  sent?: { sequence: number; body: string }
  /** What an event handler is given that fails. */
  choking?: string
  /** Why a command, or following, is over; null when that has come to its natural end. */
  over?: { isError: boolean; code?: string | number; message: string } | null
}

/** A client of docs/clients.md, in a process of its own, as it stands there. */
export class DocumentedClient {
  readonly #folder = mkdtempSync(join(tmpdir(), 'conclave-client-'))
  readonly #process: ChildProcess
  readonly #said: AsyncIterator<string>
  #complaints = ''

  /**
   * @param file name in the first line of its block
   * @param silenceMs after which a silent connection counts as gone; null for what the client has by itself
   */
  constructor(file: string, url: string, token: string, silenceMs: number | null = null) {
    for (const [name, code] of codeBlocks()) writeFileSync(join(this.#folder, name), code)
    writeFileSync(join(this.#folder, 'application.mjs'), APPLICATION)
    symlinkSync(join(PROJECT, 'node_modules'), join(this.#folder, 'node_modules'))
    this.useToken(token)
    const env = { PATH: process.env.PATH ?? '', URL: url, SILENCE_MS: String(silenceMs ?? '') }
    this.#process = spawn(process.execPath, ['application.mjs', `./${file}`], { cwd: this.#folder, env })
    this.#process.stderr?.on('data', (chunk) => (this.#complaints += chunk))
    this.#said = createInterface(this.#process.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
  }

  /** What `token()` gives from now on. */
  useToken(token: string): void {
    writeFileSync(join(this.#folder, 'token'), token)
  }

  /** How often it has asked for a token. */
  get tokensAsked(): number {
    const asked = join(this.#folder, 'asked')
    return existsSync(asked) ? readFileSync(asked).length : 0
  }

  tell(
    ...command: [name: 'follow' | 'inbox' | 'example' | 'choke' | 'page' | 'send' | 'close', ...args: string[]]
  ): void {
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

  /** Tells it nothing more, and waits for it to end, which it does when its client holds nothing open. */
  async end(): Promise<void> {
    this.#process.stdin?.write('["leave"]\n')
    if (this.#process.exitCode === null) await once(this.#process, 'exit')
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
