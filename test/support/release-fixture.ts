import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ConversationDocument } from '../../documents/generated.js'
import type { WrittenConversation } from '../../scripts/release/written-world.js'
import type { TestConclave } from './boot.js'
import { readBack } from './chat.js'

/** What an earlier version has stored, and what must be found in it. */

const FOLDER = join('test', 'fixtures')

export interface ReleaseFixture {
  /** The whole database. */
  sql: string
  masterSecrets: string
  conversations: WrittenConversation[]
  /** For a program that is to open it. */
  variables: Record<string, string>
}

export const releases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.sql'))
  .map((name) => name.replace(/\.sql$/, ''))

export function readRelease(release: string): ReleaseFixture {
  const sql = readFileSync(join(FOLDER, `${release}.sql`), 'utf8')
  const { masterSecrets, masterKeys, conversations } = JSON.parse(
    readFileSync(join(FOLDER, `${release}.json`), 'utf8')
  ) as Pick<ReleaseFixture, 'masterSecrets' | 'conversations'> & {
    /** All that keys lie under, the current one last. */
    masterKeys: string[]
  }
  const variables = {
    MASTER_KEY: masterKeys.at(-1) ?? '',
    MASTER_KEYS_RETIRING: masterKeys.slice(0, -1).join(','),
    MASTER_SECRETS: masterSecrets
  }
  return { sql, masterSecrets, conversations, variables }
}

/** Every message and every title as it was written. */
export async function expectOpens(conclave: TestConclave, { conversations }: ReleaseFixture): Promise<void> {
  const alice = await conclave.as('alice', { name: 'Alice' })
  for (const { id, title, messages, deleted } of conversations) {
    const { conversation } = await alice.run(ConversationDocument, { id })
    if (deleted) {
      expect(conversation).toBeNull()
      continue
    }
    expect(conversation?.title ?? null).toBe(title)
    expect((await readBack(alice, id)).map(asWritten)).toEqual(messages)
  }
}

export function asWritten({ sequence, sender, status, body, editedAt }: Awaited<ReturnType<typeof readBack>>[number]) {
  return { sequence, sender: sender?.id ?? null, status, body: body ?? null, edited: editedAt != null }
}
