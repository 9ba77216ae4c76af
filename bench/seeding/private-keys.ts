import type { Seeded, Stage } from '../stage.js'
import { bulkConversations, inBulk } from './bulk-rows.js'
import { withServices } from './composed.js'
import { fillPool } from './pooled-keys.js'

/** Two master keys, as the configuration names them. */
export const FROM = { uri: 'local:a', secret: `a=${Buffer.alloc(32, 1).toString('base64')}` }
export const TO = { uri: 'local:b', secret: `b=${Buffer.alloc(32, 2).toString('base64')}` }

const WRAPPINGS = 1000

/** A database with as many conversations, the keys of which lie under {@link FROM} and can be opened. */
export async function privateKeysToMove(stage: Stage, count: number): Promise<Seeded<void>> {
  return await stage.seeded(`${count} private keys`, async (database) => {
    const environment = stage.environment(database, { MASTER_KEY: FROM.uri, MASTER_SECRETS: FROM.secret })
    await withServices(environment, 'api', (services) =>
      fillPool(services, database, WRAPPINGS, services.config.keyBits)
    )
    await database.query(inBulk(...bulkConversations(count), ...giveOutPool))
    await database.query('vacuum full conversation_keys')
  })
}

/** Each wrapping to many conversations: it is bound to its key, and to no conversation. */
const giveOutPool = [
  `update conversation_keys k
      set key_id = p.key_id, public_key = p.public_key, wrapped_private_key = p.wrapped_private_key,
          master_key = p.master_key
     from (select *, row_number() over () as n from pooled_keys) p
    where p.n = 1 + abs(hashtext(k.conversation_id::text)) % ${WRAPPINGS}`,
  'delete from pooled_keys'
]
