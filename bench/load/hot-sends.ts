import { compose } from '../../src/compose.js'
import { loadConfig } from '../../src/config.js'
import { createLogger } from '../../src/log.js'
import { sendMessage } from '../../src/message/send-message.js'
import { answerCalls } from '../answer-calls.js'
import { BODY } from '../operations.js'

/** Sends to one conversation without HTTP around it: each member one message after the other. */

const composition = await compose(loadConfig(process.env), createLogger('warn'), { parts: ['api'] })
const services = composition.services.api

answerCalls({
  /** @returns messages per second */
  async run({ conversationId, senderIds, ms }: { conversationId: string; senderIds: string[]; ms: number }) {
    const begin = performance.now()
    let sent = 0
    const sendInTurn = async (id: string) => {
      const sender = { id, name: id, scopes: new Set<string>(), expiresAt: null }
      while (performance.now() - begin < ms) {
        const clientMessageId = crypto.randomUUID()
        await sendMessage(services, sender, { conversationId, body: BODY, clientMessageId, replyToId: null })
        sent++
      }
    }
    await Promise.all(senderIds.map(sendInTurn))
    return sent / ((performance.now() - begin) / 1000)
  }
})
