import DataLoader from 'dataloader'
import { countUnread } from '../conversation/count-unread.js'
import { findConversations, type ViewedConversation } from '../conversation/viewed-conversation.js'
import type { User } from '../database/entities.js'
import type { Viewer } from '../identity/viewer.js'
import { type CountedKey, countMessagesOfKeys } from '../key-life/key-census.js'
import {
  findLastMessages,
  findMessages,
  findMessagesInSight,
  type MessageKey,
  type Sight
} from '../message/find-messages.js'
import type { Message } from '../message/message.js'
import type { OpenedMessage } from '../message/message-opener.js'
import type { Services } from '../services.js'

/**
 * Look-ups that resolvers make one by one and the database gets all at once. Nothing is kept between batches, since a
 * subscription uses one set of loaders for as long as it lives.
 */
export interface Loaders {
  user: DataLoader<string, User>
  conversation: DataLoader<string, ViewedConversation | null>
  message: DataLoader<MessageKey, Message | null>
  lastMessage: DataLoader<string, Message | null>
  unreadCount: DataLoader<string, number>
  opened: DataLoader<Message, OpenedMessage>
  messageCount: DataLoader<CountedKey, number>
}

/** @param sight of messages, where it is not to depend on the viewer's membership */
export function createLoaders(services: Services, viewer: Viewer | null, sight?: Sight): Loaders {
  const forViewer = async <T>(load: (viewer: Viewer) => Promise<T>, nothing: T) =>
    viewer ? await load(viewer) : nothing
  return {
    user: batched(async (ids) => {
      const users = await services.users.find(ids)
      return ids.map((id) => users.get(id) ?? { id, name: id, createdAt: new Date(0) })
    }),
    conversation: batched(async (ids) => {
      const found = await forViewer((viewer) => findConversations(services, viewer, ids), new Map())
      return ids.map((id) => found.get(id) ?? null)
    }),
    message: batched(async (keys) => {
      const found: Message[] = sight
        ? await findMessagesInSight(services, sight, keys)
        : await forViewer((viewer) => findMessages(services, viewer, keys), [])
      return keys.map(
        (key) => found.find((row) => row.id === key.messageId && row.conversationId === key.conversationId) ?? null
      )
    }),
    lastMessage: batched(async (ids) => {
      const found = await forViewer((viewer) => findLastMessages(services, viewer, ids), new Map())
      return ids.map((id) => found.get(id) ?? null)
    }),
    unreadCount: batched(async (ids) => {
      const counts = await forViewer((viewer) => countUnread(services, viewer, ids), new Map())
      return ids.map((id) => counts.get(id) ?? 0)
    }),
    opened: batched((messages) => services.messageOpener.open(messages)),
    messageCount: batched((keys) => countMessagesOfKeys(services, keys))
  }
}

function batched<K, V>(load: (keys: readonly K[]) => Promise<V[]>): DataLoader<K, V> {
  return new DataLoader<K, V>(load, { cache: false, maxBatchSize: 1000 })
}
