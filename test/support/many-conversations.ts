import { randomUUID } from 'node:crypto'
import { fingerprint, generateRsaKeyPair } from '../../src/crypto/key-transport.js'
import type { TestConclave } from './boot.js'
import { createConversation, send } from './chat.js'
import type { GraphQLClient } from './graphql-client.js'

/**
 * Fills the pool from a few RSA pairs, each wrapped many times as if it were another one: what is tested with
 * thousands of keys is not how they are generated.
 */
export async function fillPool({ services, database }: TestConclave, count: number): Promise<void> {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => generateRsaKeyPair(2048)))
  const { current } = services.masterKeys
  for (let index = 0; index < count; index++) {
    const pair = pairs[index % pairs.length]
    if (!pair) throw new Error('there are pairs')
    const context = { keyId: randomUUID(), fingerprint: fingerprint(pair.publicKey) }
    const [wrapping] = await current.wrap([{ privateKey: pair.privateKey, context }])
    await database.query(
      `insert into pooled_keys (key_id, modulus_bits, public_key, wrapped_private_key, master_key, master_key_version, created_at)
       values ($1, 2048, $2, $3, $4, $5, now())`,
      [context.keyId, pair.publicKey, wrapping?.wrapped, current.uri, wrapping?.version]
    )
  }
}

/** Conversations with a message each, and as many key versions. */
export async function manyConversations(
  conclave: TestConclave,
  owner: GraphQLClient,
  count: number
): Promise<string[]> {
  await fillPool(conclave, count)
  const ids: string[] = []
  while (ids.length < count) {
    const left = Math.min(20, count - ids.length)
    const made = await Promise.all(Array.from({ length: left }, () => createConversation(owner, [])))
    await Promise.all(made.map((id) => send(owner, id, `sent in ${id}`)))
    ids.push(...made)
  }
  return ids
}
