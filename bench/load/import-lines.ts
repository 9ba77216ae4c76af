import { compose } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import { createLogger } from '../../src/log.js'
import { importRecords } from '../../src/transfer/import-records.js'
import { jsonLines } from '../../src/transfer/import-source.js'
import { answerCalls } from '../answer-calls.js'
import { BODY } from '../operations.js'

/** Imports JSON Lines into a conversation of their own, as `conclave import` does from a file. */

const composition = await compose(loadConfig(process.env), createLogger('warn'), { parts: ['api'] })
const services = composition.services.api
const PIECE_LINES = 200

answerCalls({
  /** Imports so many messages, or fewer where they take longer than `ms`. */
  async run({ name, messages, senders, ms }: Order): Promise<Imported> {
    const begin = performance.now()
    const file: FileSoFar = { name, messages: 0 }
    const goesOn = () => file.messages < messages && performance.now() - begin < ms
    await importRecords(
      services,
      { name, lines: jsonLines(piecesOf(file, senders, goesOn)) },
      { actor: 'operator:bench' }
    )
    const perSecond = file.messages / ((performance.now() - begin) / 1000)
    return { messages: file.messages, perSecond, residentBytes: process.memoryUsage().rss }
  }
})

interface Order {
  name: string
  /** A multiple of 200. */
  messages: number
  senders: number
  ms: number
}

export interface Imported {
  messages: number
  perSecond: number
  /** Memory of the process when it was over. */
  residentBytes: number
}

interface FileSoFar {
  name: string
  messages: number
}

/** The file as a stream reads it. */
async function* piecesOf(file: FileSoFar, senders: number, goesOn: () => boolean): AsyncGenerator<Buffer> {
  yield inLines([{ type: 'conversation', id: file.name }])
  while (goesOn()) {
    yield inLines(Array.from({ length: PIECE_LINES }, (_, n) => messageOf(file.name, file.messages + n, senders)))
    file.messages += PIECE_LINES
  }
  yield inLines([{ type: 'member', conversationId: file.name, userId: 'sender-0', role: 'OWNER' }])
}

function messageOf(conversationId: string, n: number, senders: number) {
  const createdAt = new Date(1_600_000_000_000 + n * 1000).toISOString()
  return { type: 'message', conversationId, id: `m${n}`, senderId: `sender-${n % senders}`, body: BODY, createdAt }
}

function inLines(records: object[]): Buffer {
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}
