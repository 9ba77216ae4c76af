import { takePairOf } from '../conversation-key/key-supply.js'
import type { Statement } from '../database/database.js'

/**
 * A conversation with its first key version, a data key, its members and what the audit trail says of them, in one
 * statement; and nothing of it where the pair of keys has gone out of the pool, which answers no row. The private key
 * goes from one table to the other inside of the database.
 *
 * Users are added in one order everywhere: two statements that name the same new ones cannot deadlock.
 */
export const CREATE_CONVERSATION: Statement = {
  name: 'create-conversation',
  text: `
    with pair as (${takePairOf('$2')}
    ), named as (
      insert into users (id, name, created_at)
      select user_id, user_id, $3 from pair, unnest((select $5)::text[]) as user_id
          on conflict do nothing
    ), conversation as (
      insert into conversations (id, history_visibility, title, title_data_key_id, active_key_version, key_rotates_at,
                                 key_message_limit, key_policy, key_defaults_id, data_key_id, data_key_expires_at,
                                 created_at, last_activity_at)
      select $1, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, $3, $3 from pair
    ), activated as (
      insert into conversation_keys (conversation_id, version, key_id, state, modulus_bits, public_key,
                                     wrapped_private_key, master_key, master_key_version, rotation_reason,
                                     created_at, activated_at, rotates_at)
      select $1, 1, key_id, 'ACTIVE', modulus_bits, public_key, wrapped_private_key, master_key, master_key_version,
             'CREATED', created_at, $3, $9
        from pair
    ), data_key as (
      insert into data_keys (conversation_id, id, key_version, wrapped_key, created_at)
      select $1, $13, 1, $15, $3 from pair
    ), member as (
      insert into members (conversation_id, user_id, role, joined_at, visible_after, joined_change)
      select $1, user_id, case user_id when $4 then 'OWNER' else 'MEMBER' end, $3, 0, 0
        from pair, unnest((select $5)::text[]) as user_id
    )
    select append_key_events($3, $4, event.action, array[$1::uuid], array[event.version], event.detail)
      from pair, unnest((select $16)::text[], (select $17)::integer[], (select $18)::text[])
        as event (action, version, detail)`
}
