import DataLoader from 'dataloader'
import { countUnread } from '../conversation/count-unread.js'
import { countMembers, listMembers, type MemberPage } from '../conversation/members.js'
import { openTitles } from '../conversation/title.js'
import { findConversations, type ViewedConversation } from '../conversation/viewed-conversation.js'
import { activeKeys, type KeyPage, listKeys } from '../conversation-key/list-keys.js'
import type { NamedUser } from '../identity/users.js'
import type { Viewer } from '../identity/viewer.js'
import { type CountedKey, countMessagesOfKeys } from '../key-life/key-census.js'
import {
  findLastMessages,
  findMessages,
  findMessagesInSight,
  type MessageKey,
  readRanges,
  type SequenceRange,
  type Sight
} from '../message/find-messages.js'
import type { Message } from '../message/message.js'
import { requireBytesToOpen } from '../message/message-bytes.js'
import type { Services } from '../services.js'

/**
 * Look-ups that resolvers make one by one and the database gets all at once, so that no operation takes more statements
 * for more rows. Nothing is kept between batches, since a subscription uses one set of loaders for as long as it lives.
 */
export type Loaders = ReturnType<typeof createLoaders>

/**
 * @param viewer whose memberships say what is found; null for nobody
 * @param sight of messages, where it does not depend on a membership
 */
export function createLoaders(services: Services, viewer: Viewer | null, sight: Sight | null = null) {
  return {
    ...conversationLoaders(services, viewer),
    ...messageLoaders(services, viewer, sight),
    ...keyLoaders(services, viewer)
  }
}

function conversationLoaders(services: Services, viewer: Viewer | null) {
  return {
    user: batched(async (ids: readonly string[]) => {
      // The viewer's own name came with the token: who reads what they have sent needs no look-up.
      const others = ids.filter((id) => id !== viewer?.id)
      const users = others.length > 0 ? await services.users.find(others) : new Map<string, NamedUser>()
      if (viewer) users.set(viewer.id, viewer)
      return ids.map((id) => users.get(id) ?? { id, name: id })
    }),
    conversation: ofViewer(viewer, null, (viewer, ids: readonly string[]) => findConversations(services, viewer, ids)),
    title: batched<ViewedConversation, string | null>((conversations) => openTitles(services, conversations)),
    members: batched(async (pages: readonly MemberPage[]) =>
      viewer ? await listMembers(services, viewer, pages) : pages.map(() => [])
    ),
    memberCount: ofViewer(viewer, 0, (viewer, ids) => countMembers(services, viewer, ids)),
    unreadCount: ofViewer(viewer, 0, (viewer, ids) => countUnread(services, viewer, ids))
  }
}

function messageLoaders(services: Services, viewer: Viewer | null, sight: Sight | null) {
  const find = async (keys: readonly MessageKey[]): Promise<Message[]> => {
    if (sight) return await findMessagesInSight(services, sight, keys)
    return viewer ? await findMessages(services, viewer, keys) : []
  }
  return {
    message: batched(async (keys: readonly MessageKey[]) => {
      const found = await find(keys)
      const byPlace = new Map(found.map((row) => [`${row.conversationId} ${row.id}`, row]))
      return keys.map(({ conversationId, messageId }) => byPlace.get(`${conversationId} ${messageId}`) ?? null)
    }),
    lastMessage: ofViewer(viewer, null, (viewer, ids) => findLastMessages(services, viewer, ids)),
    messages: batched(async (ranges: readonly SequenceRange[]) =>
      viewer ? await readRanges(services, viewer, ranges) : ranges.map(() => [])
    ),
    opened: batched(async (messages: readonly Message[]) => {
      requireBytesToOpen(messages)
      return await services.messageOpener.open(messages)
    })
  }
}

function keyLoaders(services: Services, viewer: Viewer | null) {
  return {
    keys: batched(async (pages: readonly KeyPage[]) =>
      viewer ? await listKeys(services, viewer, pages) : pages.map(() => [])
    ),
    /** Null when the viewer is no longer in the conversation. */
    activeKey: ofViewer(viewer, null, (viewer, ids) => activeKeys(services, viewer, ids)),
    messageCount: batched((keys: readonly CountedKey[]) => countMessagesOfKeys(services, keys))
  }
}

/** What a viewer finds by the ids of conversations; `nothing` for one that is not found, or without a viewer. */
function ofViewer<V, N extends V | null>(
  viewer: Viewer | null,
  nothing: N,
  find: (viewer: Viewer, conversationIds: readonly string[]) => Promise<Map<string, V>>
): DataLoader<string, V | N> {
  return batched(async (ids) => {
    const found: Map<string, V> = viewer ? await find(viewer, ids) : new Map()
    return ids.map((id) => found.get(id) ?? nothing)
  })
}

function batched<K, V>(load: (keys: readonly K[]) => Promise<(V | Error)[]>): DataLoader<K, V> {
  return new DataLoader<K, V>(load, { cache: false })
}
