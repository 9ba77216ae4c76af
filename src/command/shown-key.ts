import type { ConversationKey } from '../database/entities.js'
import { instant } from './output.js'

/** What is shown of a key version: neither half of it. */
export interface ShownKey
  extends Pick<
    ConversationKey,
    | 'conversationId'
    | 'version'
    | 'keyId'
    | 'state'
    | 'modulusBits'
    | 'masterKey'
    | 'rotationReason'
    | 'createdAt'
    | 'activatedAt'
    | 'rotatesAt'
    | 'deactivatedAt'
    | 'destroysAt'
    | 'destroyedAt'
  > {
  /** Messages that need it to be read. */
  messages: number
}

export function shownKey(key: ConversationKey, messages: number): ShownKey {
  const { conversationId, version, keyId, state, modulusBits, masterKey, rotationReason } = key
  const { createdAt, activatedAt, rotatesAt, deactivatedAt, destroysAt, destroyedAt } = key
  const times = { createdAt, activatedAt, rotatesAt, deactivatedAt, destroysAt, destroyedAt }
  return { conversationId, version, keyId, state, modulusBits, masterKey, rotationReason, messages, ...times }
}

export const KEY_TABLE: Record<string, (key: ShownKey) => string> = {
  CONVERSATION: ({ conversationId }) => conversationId,
  VERSION: ({ version }) => String(version),
  STATE: ({ state }) => state,
  MESSAGES: ({ messages }) => String(messages),
  REASON: ({ rotationReason }) => rotationReason,
  ACTIVATED: ({ activatedAt }) => instant(activatedAt),
  ROTATES: ({ state, rotatesAt }) => instant(state === 'ACTIVE' ? rotatesAt : null),
  DEACTIVATED: ({ deactivatedAt }) => instant(deactivatedAt),
  DESTROYS: ({ state, destroysAt }) => instant(state === 'DESTROYED' ? null : destroysAt),
  DESTROYED: ({ destroyedAt }) => instant(destroyedAt),
  'MASTER KEY': ({ masterKey }) => masterKey ?? '-'
}
