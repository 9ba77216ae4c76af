import type { Viewer } from '../identity/viewer.js'
import { lockConversation, requireRight } from '../membership/roles.js'
import type { Services } from '../services.js'
import { changeConversation } from './change-conversation.js'
import { encryptTitle, requireTitle } from './title.js'

/** Sets the title, or takes it away with null. */
export async function renameConversation(
  services: Pick<Services, 'keySupply' | 'keyDefaultsId' | 'sendingKeys' | 'signals' | 'clock' | 'config'>,
  viewer: Viewer,
  conversationId: string,
  title: string | null
): Promise<void> {
  if (title !== null) requireTitle('title', title)
  await changeConversation(services, viewer, conversationId, async (em, key) => {
    await requireRight(em, conversationId, viewer, 'rename')
    const conversation = await lockConversation(em, conversationId)
    const notice = title === null ? `${viewer.name} removed the title` : `${viewer.name} changed the title to ${title}`
    return { conversation, notice, columns: encryptTitle(title, conversationId, conversation.titleRevision + 1, key) }
  })
}
