import { v7 as uuidv7 } from 'uuid'
import { activationEvent, rotatesAt } from '../conversation-key/activate-version.js'
import {
  changePolicy,
  effectivePolicy,
  type KeyPolicyDraft,
  type KeyPolicyOverrides
} from '../conversation-key/key-policy.js'
import type { PairInPool } from '../conversation-key/key-supply.js'
import { newDataKey } from '../conversation-key/new-data-key.js'
import { policyEvent } from '../conversation-key/set-key-policy.js'
import type { HistoryVisibility } from '../database/entities.js'
import { addDuration } from '../duration.js'
import { BadUserInput } from '../errors.js'
import { requireUserId } from '../identity/user-id.js'
import type { Viewer } from '../identity/viewer.js'
import type { Services } from '../services.js'
import { CREATE_CONVERSATION } from './create-statement.js'
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

type CreateServices = Pick<
  Services,
  'database' | 'keySupply' | 'keyring' | 'keyDefaultsId' | 'signals' | 'metrics' | 'clock' | 'config'
>

/** Creates a conversation with key version 1 and its first data key; the viewer becomes its owner. */
export async function createConversation(
  services: CreateServices,
  viewer: Viewer,
  draft: ConversationDraft
): Promise<ViewedConversation> {
  const title = draft.title === null ? null : requireTitle('input.title', draft.title)
  const others = requireUserIds('input.memberIds', draft.memberIds).filter((userId) => userId !== viewer.id)
  const userIds = [viewer.id, ...others]
  const keyPolicy = changePolicy('input.keyPolicy', services.config.keyPolicy, {}, draft.keyPolicy ?? {})
  const checked = { title, userIds, keyPolicy, historyVisibility: draft.historyVisibility }
  const created = await services.keySupply.withPairInPool((pair) => store(services, viewer, checked, pair))
  for (const userId of userIds) services.signals.publish(`user:${userId}`)
  return created
}

type CheckedDraft = Pick<ConversationDraft, 'title' | 'historyVisibility'> & {
  /** The viewer among them. */
  userIds: string[]
  keyPolicy: KeyPolicyOverrides
}

/** @returns null where the pair was gone, and nothing is stored */
async function store(
  { database, keyring, keyDefaultsId, metrics, clock, config }: CreateServices,
  viewer: Viewer,
  { title, userIds, keyPolicy, historyVisibility }: CheckedDraft,
  pair: PairInPool
): Promise<ViewedConversation | null> {
  const id = uuidv7()
  const now = clock.now()
  const policy = effectivePolicy(config.keyPolicy, keyPolicy)
  const data = newDataKey(pair.publicKey, metrics)
  const sealed = encryptTitle(title, id, 0, { dataKeyId: data.id, dataKey: data.dataKey })
  const events = [
    activationEvent(1, 'CREATED', pair),
    ...(Object.keys(keyPolicy).length > 0 ? [policyEvent(policy)] : [])
  ]
  const stored = await database.run(CREATE_CONVERSATION, [
    id,
    pair.keyId,
    now,
    viewer.id,
    userIds.toSorted(),
    historyVisibility,
    sealed.title,
    sealed.titleDataKeyId,
    rotatesAt(policy, now),
    policy.rotateAfterMessages,
    keyPolicy,
    keyDefaultsId,
    data.id,
    addDuration(now, config.dataKeyMaxAge),
    data.wrappedKey,
    events.map(({ action }) => action),
    events.map(({ keyVersion }) => keyVersion),
    events.map(({ detail }) => detail)
  ])
  if (stored.length === 0) return null
  keyring.remember(id, data.id, data.dataKey)
  return {
    ...sealed,
    id,
    historyVisibility,
    keyPolicy,
    lastSequence: 0,
    lastChange: 0,
    createdAt: now,
    lastActivityAt: now,
    viewerRole: 'OWNER',
    visibleAfter: 0,
    lastReadSequence: 0
  }
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
