import pLimit from 'p-limit'
import { createConversation } from '../../src/conversation/create-conversation.js'
import type { BenchDatabase, Stage } from '../stage.js'
import { withServices } from './composed.js'
import { fillPool } from './pooled-keys.js'

const AT_ONCE = 8

export const ownerOf = (index: number) => `owner-${index}`

/** @returns the ids of the conversations, of which `owner-0`, `owner-1`, … are the owners */
export async function seedConversations(
  stage: Stage,
  database: BenchDatabase,
  count: number,
  memberIds: (index: number) => string[] = (index) => [`member-${index}`]
): Promise<string[]> {
  return await withServices(stage.environment(database), 'api', async (services) => {
    await fillPool(services, database, count, services.config.keyBits)
    const limit = pLimit(AT_ONCE)
    return await limit.map(Array.from({ length: count }), async (_, index) => {
      const owner = { id: ownerOf(index), name: `Owner ${index}`, scopes: new Set<string>(), expiresAt: null }
      await services.users.see(owner)
      const draft = { title: null, memberIds: memberIds(index), historyVisibility: 'FULL' as const, keyPolicy: null }
      return (await createConversation(services, owner, draft)).id
    })
  })
}
