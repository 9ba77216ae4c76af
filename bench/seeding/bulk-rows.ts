/**
 * Rows by the million, written by the database itself. They are whole and belong together; what is encrypted in them
 * is filling of the right size, which nothing opens.
 */

/** Id of the nth of these conversations, which is that of its data key as well, in SQL: ascending, as real ones are. */
const bulkId = (n: string) => `('00000000-0000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`
/** Members of it, in SQL: the owner, whom it has alone, and somebody who is in ten of them. */
const ownerId = (n: string) => `'bulk-owner-' || ${n}`
const memberId = (n: string) => `'bulk-member-' || ${n} / 10`

const filling = (bytes: number) => `decode(repeat('5a', ${bytes}), 'hex')`

/** Of a key pair of 2048 bits, as it is stored. */
const PAIR_BYTES = { publicKey: 294, wrappedPrivateKey: 1280 }
const WRAPPED_DATA_KEY_BYTES = 258
/** Header, nonce and tag of an envelope, around a body of 300 bytes. */
const ENVELOPE_BYTES = 330

/**
 * Neither foreign keys nor triggers are looked at: what is written here holds to them, and with them it would take
 * minutes. Takes a superuser, and the text alone as one query.
 */
export const inBulk = (...statements: string[]) => `
  begin;
  set local session_replication_role = replica;
  set local synchronous_commit = off;
  ${statements.join(';\n')};
  commit`

interface BulkConversations {
  /** So many of them, the first, have sent a message under their key; the keys of all are past their time. */
  used: number
  /** What a key pair takes. */
  pairBytes: typeof PAIR_BYTES
}

/** Conversations with a key each, and those that are used with a data key. */
export function bulkConversations(count: number, options: Partial<BulkConversations> = {}): string[] {
  const { used = count, pairBytes = PAIR_BYTES } = options
  const numbers = `generate_series(1, ${count}) n`
  // As the program writes instants: to the millisecond.
  const past = "date_trunc('milliseconds', now()) - interval '1 day'"
  return [
    // Each is due at a time of its own, in no order.
    `insert into conversations (id, history_visibility, active_key_version, data_key_id, data_key_expires_at, key_used,
                                key_messages, data_key_messages, key_rotates_at, created_at, last_activity_at)
     select ${bulkId('n')}, 'FULL', 1, case when n <= ${used} then ${bulkId('n')} end,
            case when n <= ${used} then now() + interval '1 day' end, n <= ${used}, (n <= ${used})::integer,
            (n <= ${used})::integer, ${past} - n::bigint * 7919 % 100000 * interval '1 second', ${past}, ${past}
       from ${numbers}`,
    `insert into conversation_keys (conversation_id, version, key_id, state, modulus_bits, public_key, wrapped_private_key,
                                    master_key, rotation_reason, created_at, activated_at, rotates_at)
     select ${bulkId('n')}, 1, ${bulkId('n')}, 'ACTIVE', 2048, ${filling(pairBytes.publicKey)},
            ${filling(pairBytes.wrappedPrivateKey)}, 'local:bench', 'CREATED', ${past}, ${past}, ${past}
       from ${numbers}`,
    `insert into data_keys (conversation_id, id, key_version, wrapped_key, created_at)
     select ${bulkId('n')}, ${bulkId('n')}, 1, ${filling(WRAPPED_DATA_KEY_BYTES)}, ${past}
       from generate_series(1, ${used}) n`
  ]
}

/** Two members for each of so many conversations. */
export function bulkMembers(count: number): string[] {
  const numbers = `generate_series(1, ${count}) n`
  const member = (id: string, role: string) => `select ${bulkId('n')}, ${id}, '${role}', now(), 0 from ${numbers}`
  return [
    `insert into users (id, name, created_at)
     select id, id, now() from (
       select ${ownerId('n')} as id from ${numbers} union select ${memberId('n')} from ${numbers}) u`,
    `insert into members (conversation_id, user_id, role, joined_at, visible_after)
     ${member(ownerId('n'), 'OWNER')} union all ${member(memberId('n'), 'MEMBER')}`
  ]
}

/**
 * Messages `first` to `last` of every conversation, in the order in which they come where many talk at the same time:
 * the messages of one conversation lie far apart.
 */
export function bulkMessages(first: number, last: number): string {
  return `
    do $$ begin
      for s in ${first}..${last} loop
        ${messageOfEach('s', 'true')};
      end loop;
    end $$`
}

/** One message of each conversation whose owner `m` meets a condition. */
export function messageOfEach(sequence: string, condition: string): string {
  return `
    insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id, envelope,
                          created_change, change, created_at)
    select c.id, ${sequence}, gen_random_uuid(), 'TEXT', m.user_id, gen_random_uuid(), c.data_key_id,
           ${filling(ENVELOPE_BYTES)}, ${sequence}, ${sequence}, now()
      from conversations c join members m on m.conversation_id = c.id and m.role = 'OWNER' and ${condition}`
}

/** What the conversations count of their messages. */
export function countBulkMessages(last: number): string {
  return `
    update conversations
       set last_sequence = ${last}, last_change = ${last}, data_key_uses = ${last}, data_key_messages = ${last}`
}

/** An operation for each of so many conversations, all of them over. */
export function bulkOperations(count: number): string {
  return `
    insert into key_operations (id, kind, state, actor, conversation_id, key_version, created_at, finished_at)
    select gen_random_uuid(), 'REENCRYPT', 'SUCCEEDED', 'somebody', ${bulkId('n')}, 1, now(), now()
      from generate_series(1, ${count}) n`
}

/** So many rows in the pool, which hold no keys. */
export function bulkPool(count: number): string {
  return `
    insert into pooled_keys (key_id, modulus_bits, public_key, wrapped_private_key, master_key, created_at)
    select gen_random_uuid(), 3072, decode(repeat('00', 422), 'hex'), decode(repeat('00', 1800), 'hex'), 'local:nowhere',
           now() + n * interval '1 second'
      from generate_series(1, ${count}) n`
}
