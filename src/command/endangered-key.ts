import type { KeyVersion } from '../key-life/destroy-key.js'
import type { Services } from '../services.js'
import { type ShownKey, shownKey } from './shown-key.js'

/** A version that somebody wants to end, with the messages that need it. */
export async function endangeredKey(services: Services, { conversationId, version }: KeyVersion): Promise<ShownKey> {
  const [{ ALL_KEYS, listKeysOf }, { countMessagesOfKeys }, { NotFound, BadUserInput }] = await Promise.all([
    import('../conversation-key/list-keys.js'),
    import('../key-life/key-census.js'),
    import('../errors.js')
  ])
  const found = await listKeysOf(services, conversationId, ALL_KEYS)
  if (found.length === 0) throw new NotFound('conversation')
  const key = found.find((each) => each.version === version)
  if (!key) throw new BadUserInput('version', `The conversation has the versions 1 to ${found.length} only.`)
  const [messages] = await countMessagesOfKeys(services, [key])
  return shownKey(key, messages ?? 0)
}

/** "version 2 of conversation …, ACTIVE" */
export function described({ conversationId, version, state }: ShownKey): string {
  return `version ${version} of conversation ${conversationId}, ${state}`
}
