import { COUNT_KEY_USES, IS_SENDING_KEY, USES_LEFT } from '../conversation-key/sending-keys.js'
import type { Statement } from '../database/database.js'

/** What either statement answers for each message, in the order given. */
export interface StoredRow {
  isMember: boolean
  /** By the same sender under the same client message id: nothing is stored again. */
  isStored: boolean
  replyFound: boolean
  /** Null where the message was not stored: for one of the reasons above, or because the data key is not to be used. */
  sequence: number | null
  change: number | null
}

/**
 * Membership, the data key and the sequence in one statement. The member's row is locked first: a removal either waits
 * for this message or is seen by it. What concerns the data key stands on the conversation's row, which the update
 * locks and looks at afresh after waiting for it.
 *
 * It does for one message what {@link STORE_GROUP} does for many, and is faster for one: over many conversations nearly
 * every message comes alone (docs/adr/0014).
 */
export const STORE_ONE: Statement = {
  name: 'store-message',
  text: `
    with member as materialized (
      select m.conversation_id, m.visible_after from members m
       where m.conversation_id = $1 and m.user_id = $6
         for key share
    ), earlier as (
      select e.id from messages e, member m
       where e.conversation_id = $1 and e.sender_id = $6 and e.client_message_id = $7
    ), reply as (
      select r.id from messages r, member m
       where r.conversation_id = $1 and r.id = $8 and r.sequence > m.visible_after
    ), numbered as (
      update conversations c
         set last_sequence = c.last_sequence + 1, last_change = c.last_change + 1,
             data_key_uses = c.data_key_uses + 1, data_key_messages = c.data_key_messages + 1,
             last_activity_at = greatest(c.last_activity_at, $3::timestamptz), ${COUNT_KEY_USES('1', '$3')}
        from member m
       where c.id = m.conversation_id and c.deleted_at is null
         and ${IS_SENDING_KEY('$2', '$4', '$3')}
         and not exists (select from earlier)
         and ($8::uuid is null or exists (select from reply))
      returning c.last_sequence, c.last_change
    ), stored as (
      insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id,
                            envelope, created_change, change, reply_to_id, created_at)
      select $1, n.last_sequence, $5, 'TEXT', $6, $7, $2, $9, n.last_change, n.last_change, $8, $3 from numbered n
      returning sequence, change
    )
    select exists (select from member) as "isMember", exists (select from earlier) as "isStored",
           $8::uuid is null or exists (select from reply) as "replyFound", s.sequence, s.change::float8 as change
      from (values (1)) as one left join stored s on true`
}

/**
 * The same for messages of one conversation, of any senders: as many as fit under the key are stored, in their order.
 *
 * Members are locked in the order of roles.ts. `locked` shows the conversation's row as it is after waiting for it, and
 * how many fit. What `placed` gives a sequence is stored, or the statement fails: asking the insertion for it would join
 * all with all. Earlier messages are looked up by scalar subqueries, which no plan can turn into reading them all. The
 * arrays hide behind subqueries: a planner who counts their elements finds each time that the plan for just these is
 * cheaper than the general one, and plans anew for longer than all the rest takes.
 */
export const STORE_GROUP: Statement = {
  name: 'store-messages',
  text: `
    with member as materialized (
      select m.user_id, m.visible_after from members m
       where m.conversation_id = $1 and m.user_id = any((select $6)::text[])
       order by m.user_id
         for key share
    ), draft as materialized (
      select d.*, 1 + sum(d.bytes) over (order by d.place) - d.bytes as start, m.user_id is not null as is_member,
             d.client_message_id is not null and
               (select e.sequence from messages e
                 where e.conversation_id = $1 and e.sender_id = d.sender_id
                   and e.client_message_id = d.client_message_id) is not null as is_stored,
             d.reply_to_id is null or coalesce(
               (select r.sequence from messages r where r.conversation_id = $1 and r.id = d.reply_to_id)
                 > m.visible_after, false) as reply_found
        from unnest((select $5)::uuid[], (select $6)::text[], (select $7)::text[], (select $8)::uuid[],
                    (select $10)::integer[]) with ordinality
          as d (id, sender_id, client_message_id, reply_to_id, bytes, place)
        left join member m on m.user_id = d.sender_id
    ), numbered as materialized (
      select d.*, row_number() over (partition by d.is_storable order by d.place) as nth
        from (select *, is_member and not is_stored and reply_found as is_storable from draft) d
    ), locked as materialized (
      select c.id, c.last_sequence, c.last_change, least(s.count, ${USES_LEFT('$4', '$3')}) as taken
        from conversations c, (select count(*) from numbered where is_storable) s
       where c.id = $1 and s.count > 0 and c.deleted_at is null and ${IS_SENDING_KEY('$2', '$4', '$3')}
         for no key update of c
    ), counted as (
      update conversations c
         set last_sequence = c.last_sequence + l.taken, last_change = c.last_change + l.taken,
             data_key_uses = c.data_key_uses + l.taken, data_key_messages = c.data_key_messages + l.taken,
             last_activity_at = greatest(c.last_activity_at, $3::timestamptz), ${COUNT_KEY_USES('l.taken', '$3')}
        from locked l
       where c.id = l.id
    ), placed as materialized (
      select n.*, (l.last_sequence + n.nth)::integer as sequence, l.last_change + n.nth as change
        from numbered n left join locked l on n.is_storable and n.nth <= l.taken
    ), stored as (
      insert into messages (conversation_id, sequence, id, kind, sender_id, client_message_id, data_key_id,
                            envelope, created_change, change, reply_to_id, created_at)
      select $1, p.sequence, p.id, 'TEXT', p.sender_id, p.client_message_id, $2,
             substr($9::bytea, p.start::integer, p.bytes), p.change, p.change, p.reply_to_id, $3
        from placed p where p.sequence is not null
    )
    select is_member as "isMember", is_stored as "isStored", reply_found as "replyFound", sequence, change::float8
      from placed order by place`
}
