import { type SendingKeys, STALE_KEY } from '../../src/conversation-key/sending-keys.js'
import type { Message } from '../../src/message/message.js'
import type { Refused } from '../../src/message/send-groups.js'
import { StoreFailed, storeMessages, type UnsentMessage } from '../../src/message/store-messages.js'
import type { Services } from '../../src/services.js'

type StoreServices = Pick<Services, 'database' | 'sendPace' | 'clock' | 'config'>

/** In the place of src/message/send-groups.ts: every message in a statement of its own. */
export class SendGroups {
  readonly #services: StoreServices
  readonly #sendingKeys: SendingKeys

  constructor(services: StoreServices & Pick<Services, 'sendingKeys'>) {
    this.#services = services
    this.#sendingKeys = services.sendingKeys
  }

  async store(conversationId: string, message: UnsentMessage): Promise<Message | Refused> {
    return await this.#sendingKeys.use(conversationId, async (key) => {
      const [result = STALE_KEY] = await storeMessages(this.#services, conversationId, [message], key)
      if (result instanceof StoreFailed) throw result.error
      return result
    })
  }
}
