import { randomUUID } from 'node:crypto'
import { fingerprint, generateRsaKeyPair, type ModulusBits } from '../../src/crypto/key-transport.js'
import type { Services } from '../../src/services.js'
import type { BenchDatabase } from '../stage.js'

const PAIRS = 4
const BATCH = 500

/**
 * Fills the pool from a few RSA pairs, each wrapped many times as if it were another one: what is measured with
 * thousands of keys is not how they are generated.
 */
export async function fillPool(
  { masterKeys }: Pick<Services, 'masterKeys'>,
  database: BenchDatabase,
  count: number,
  modulusBits: ModulusBits
): Promise<void> {
  const pairs = await pairsOf(modulusBits)
  const { current } = masterKeys
  for (let done = 0; done < count; done += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - done) }, (_, index) => {
      const pair = pairs[index % pairs.length]
      if (!pair) throw new Error('there are pairs')
      return { ...pair, context: { keyId: randomUUID(), fingerprint: fingerprint(pair.publicKey) } }
    })
    const wrappings = await current.wrap(keys)
    await database.query(
      `insert into pooled_keys (key_id, modulus_bits, public_key, wrapped_private_key, master_key, master_key_version, created_at)
       select key_id, $4, public_key, wrapped, $5, $6, now() from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as k (key_id, public_key, wrapped)`,
      [
        keys.map(({ context }) => context.keyId),
        keys.map(({ publicKey }) => publicKey),
        wrappings.map(({ wrapped }) => wrapped),
        modulusBits,
        current.uri,
        wrappings[0]?.version
      ]
    )
  }
}

const made = new Map<ModulusBits, ReturnType<typeof generatePairs>>()

function pairsOf(modulusBits: ModulusBits): ReturnType<typeof generatePairs> {
  const pairs = made.get(modulusBits) ?? generatePairs(modulusBits)
  made.set(modulusBits, pairs)
  return pairs
}

async function generatePairs(modulusBits: ModulusBits) {
  return await Promise.all(Array.from({ length: PAIRS }, () => generateRsaKeyPair(modulusBits)))
}
