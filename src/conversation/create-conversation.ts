import { v7 as uuidv7 } from 'uuid'
import { activeKeyColumns, insertActiveVersion } from '../conversation-key/activate-version.js'
import { changePolicy, effectivePolicy, type KeyPolicyDraft } from '../conversation-key/key-policy.js'
import { newDataKey } from '../conversation-key/new-data-key.js'
import { recordPolicy } from '../conversation-key/set-key-policy.js'
import { ConversationEntity, DataKeyEntity, type HistoryVisibility, MemberEntity } from '../database/entities.js'
import { addDuration } from '../duration.js'
import { BadUserInput } from '../errors.js'
import { requireUserId } from '../identity/user-id.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { encryptTitle, requireTitle } from './title.js'
import type { ViewedConversation } from './viewed-conversation.js'

export interface ConversationDraft {
  title: string | null
  memberIds: string[]
  historyVisibility: HistoryVisibility
  keyPolicy: KeyPolicyDraft | null
}

/** How many members one call may name; more can be added by further calls. */
export const MAX_MEMBERS_PER_CALL = 1000

/** Creates a conversation with key version 1 and its first data key; the viewer becomes its owner. */
export async function createConversation(
  services: Pick<
    Services,
    'keySupply' | 'keyring' | 'keyDefaultsId' | 'signals' | 'metrics' | 'clock' | 'config' | 'users'
  >,
  viewer: Viewer,
  draft: ConversationDraft
): Promise<ViewedConversation> {
  const title = draft.title === null ? null : requireTitle('input.title', draft.title)
  const others = requireUserIds('input.memberIds', draft.memberIds).filter((userId) => userId !== viewer.id)
  const { clock, config, keyring, keySupply, users } = services
  const keyPolicy = changePolicy('input.keyPolicy', config.keyPolicy, {}, draft.keyPolicy ?? {})
  const policy = effectivePolicy(config.keyPolicy, keyPolicy)
  const created = await keySupply.withKeyPair(async (em, takePair) => {
    const id = uuidv7()
    const now = clock.now()
    const pair = await takePair()
    const data = newDataKey(pair.publicKey, services.metrics)
    const conversation = {
      id,
      historyVisibility: draft.historyVisibility,
      ...encryptTitle(title, id, 0, { dataKeyId: data.id, dataKey: data.dataKey }),
      lastSequence: 0,
      lastChange: 0,
      ...activeKeyColumns(1, policy, now),
      keyPolicy,
      keyDefaultsId: services.keyDefaultsId,
      dataKeyId: data.id,
      dataKeyExpiresAt: addDuration(now, config.dataKeyMaxAge),
      createdAt: now,
      lastActivityAt: now,
      deletedAt: null
    }
    const dataKey = {
      conversationId: id,
      id: data.id,
      keyVersion: 1,
      wrappedKey: data.wrappedKey,
      createdAt: now,
      messageCount: 0,
      earlierVersions: []
    }
    const owner = {
      conversationId: id,
      userId: viewer.id,
      role: 'OWNER' as const,
      joinedAt: now,
      visibleAfter: 0,
      joinedChange: 0,
      lastReadSequence: 0
    }
    const members = others.map((userId) => ({ ...owner, userId, role: 'MEMBER' as const }))
    await users.ensure(em, others)
    await em.insert(ConversationEntity, conversation)
    await insertActiveVersion(em, id, 1, pair, policy, { reason: 'CREATED', now, actor: viewer.id })
    if (Object.keys(keyPolicy).length > 0) await recordPolicy(em, id, policy, { now, actor: viewer.id })
    await em.insert(DataKeyEntity, dataKey)
    await em.insertMany(MemberEntity, [owner, ...members])
    keyring.remember(id, data.id, data.dataKey)
    return { ...conversation, viewerRole: owner.role, visibleAfter: 0, lastReadSequence: 0 }
  })
  for (const userId of [viewer.id, ...others]) services.signals.publish(`user:${userId}`)
  return created
}

/**
 * @returns each id once, in the order given
 * @throws BadUserInput naming `field` and the place in it
 */
export function requireUserIds(field: string, userIds: string[]): string[] {
  if (userIds.length > MAX_MEMBERS_PER_CALL) {
    throw new BadUserInput(field, `Name at most ${MAX_MEMBERS_PER_CALL} members in one call.`)
  }
  return [...new Set(userIds.map((userId, index) => requireUserId(`${field}.${index}`, userId)))]
}
