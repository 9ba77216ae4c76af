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
  /** @returns messages per second, and the memory of the process when it was over */
  async run({ name, messages, senders }: { name: string; messages: number; senders: number }) {
    const begin = performance.now()
    await importRecords(
      services,
      { name, lines: jsonLines(file(name, messages, senders)) },
      { actor: 'operator:bench' }
    )
    const perSecond = messages / ((performance.now() - begin) / 1000)
    return { perSecond, residentBytes: process.memoryUsage().rss }
  }
})

/** The file in pieces, as a stream reads it. */
async function* file(name: string, messages: number, senders: number): AsyncGenerator<Buffer> {
  yield inLines([{ type: 'conversation', id: name }])
  for (let done = 0; done < messages; done += PIECE_LINES) {
    const count = Math.min(PIECE_LINES, messages - done)
    yield inLines(Array.from({ length: count }, (_, index) => messageOf(name, done + index, senders)))
  }
  yield inLines([{ type: 'member', conversationId: name, userId: 'sender-0', role: 'OWNER' }])
}

function messageOf(conversationId: string, n: number, senders: number) {
  const createdAt = new Date(1_600_000_000_000 + n * 1000).toISOString()
  return { type: 'message', conversationId, id: `m${n}`, senderId: `sender-${n % senders}`, body: BODY, createdAt }
}

function inLines(records: object[]): Buffer {
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}
