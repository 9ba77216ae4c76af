import { Migration } from '@mikro-orm/migrations'

/** Users, conversations with their members, keys and messages. */
export class Migration0001Conversations extends Migration {
  override up(): void {
    this.addSql(`
      create table users (
        id text primary key check (id <> ''),
        name text not null,
        created_at timestamptz not null
      )`)

    // last_sequence numbers messages, last_change numbers every durable change; both are taken under
    // this row's lock, so that they become visible in their order. The data key for sending stands
    // here as well, so that one statement can check it and store.
    this.addSql(`
      create table conversations (
        id uuid primary key,
        history_visibility text not null check (history_visibility in ('FULL', 'SINCE_JOINED')),
        title bytea,
        title_data_key_id uuid,
        title_revision integer not null default 0,
        last_sequence integer not null default 0,
        last_change bigint not null default 0,
        active_key_version integer not null,
        data_key_id uuid,
        data_key_uses integer not null default 0,
        data_key_expires_at timestamptz,
        created_at timestamptz not null,
        last_activity_at timestamptz not null,
        deleted_at timestamptz,
        check ((title is null) = (title_data_key_id is null)),
        check ((data_key_id is null) = (data_key_expires_at is null))
      )`)

    this.addSql(`
      create table members (
        conversation_id uuid not null references conversations (id),
        user_id text not null references users (id),
        role text not null check (role in ('OWNER', 'MODERATOR', 'MEMBER')),
        joined_at timestamptz not null,
        visible_after integer not null,
        last_read_sequence integer not null default 0,
        primary key (conversation_id, user_id)
      )`)
    this.addSql('create index members_user on members (user_id)')
    this.addSql('create index members_joined on members (conversation_id, joined_at, user_id)')

    this.addSql(`
      create table conversation_keys (
        conversation_id uuid not null references conversations (id),
        version integer not null check (version > 0),
        key_id uuid not null,
        state text not null check (state in ('ACTIVE', 'DEACTIVATED', 'DESTROYED')),
        modulus_bits integer not null,
        public_key bytea not null,
        wrapped_private_key bytea,
        master_key text,
        rotation_reason text not null
          check (rotation_reason in ('CREATED', 'SCHEDULED', 'MESSAGE_LIMIT', 'REQUESTED', 'MEMBER_REMOVED', 'COMPROMISED')),
        created_at timestamptz not null,
        activated_at timestamptz not null,
        rotates_at timestamptz,
        deactivated_at timestamptz,
        destroyed_at timestamptz,
        primary key (conversation_id, version),
        check ((state = 'ACTIVE') = (deactivated_at is null)),
        check ((state = 'DESTROYED') = (destroyed_at is not null)),
        check ((state = 'DESTROYED') = (wrapped_private_key is null)),
        check ((wrapped_private_key is null) = (master_key is null))
      )`)
    this.addSql(`
      create unique index conversation_keys_one_active on conversation_keys (conversation_id) where state = 'ACTIVE'`)

    // Pairs made ahead of need, in the state PRE_ACTIVATION; taking one deletes its row here.
    this.addSql(`
      create table pooled_keys (
        key_id uuid primary key,
        modulus_bits integer not null,
        public_key bytea not null,
        wrapped_private_key bytea not null,
        master_key text not null,
        created_at timestamptz not null
      )`)
    this.addSql('create index pooled_keys_oldest on pooled_keys (modulus_bits, master_key, created_at)')

    this.addSql(`
      create table data_keys (
        conversation_id uuid not null,
        id uuid not null,
        key_version integer not null,
        wrapped_key bytea,
        created_at timestamptz not null,
        primary key (conversation_id, id),
        foreign key (conversation_id, key_version) references conversation_keys (conversation_id, version)
      )`)
    this.addSql('create index data_keys_key_version on data_keys (conversation_id, key_version)')
    this.addSql(`
      alter table conversations
        add foreign key (id, data_key_id) references data_keys (conversation_id, id) deferrable initially deferred,
        add foreign key (id, title_data_key_id) references data_keys (conversation_id, id) deferrable initially deferred,
        add foreign key (id, active_key_version) references conversation_keys (conversation_id, version)
          deferrable initially deferred`)

    // A message keeps the number of its latest change: "everything after cursor C" is one range of
    // messages_change, and gives each message once, in its present state.
    this.addSql(`
      create table messages (
        conversation_id uuid not null references conversations (id),
        sequence integer not null check (sequence > 0),
        id uuid not null,
        kind text not null check (kind in ('TEXT', 'SYSTEM')),
        sender_id text references users (id),
        client_message_id text,
        data_key_id uuid not null,
        envelope bytea,
        revision integer not null default 0,
        created_change bigint not null,
        change bigint not null,
        reply_to_id uuid,
        created_at timestamptz not null,
        edited_at timestamptz,
        deleted_at timestamptz,
        primary key (conversation_id, sequence),
        unique (conversation_id, id),
        unique (conversation_id, sender_id, client_message_id),
        foreign key (conversation_id, data_key_id) references data_keys (conversation_id, id),
        foreign key (conversation_id, reply_to_id) references messages (conversation_id, id),
        check ((kind = 'SYSTEM') = (sender_id is null)),
        check ((deleted_at is null) = (envelope is not null)),
        check (change >= created_change)
      )`)
    this.addSql('create unique index messages_change on messages (conversation_id, change)')
    this.addSql('create index messages_data_key on messages (conversation_id, data_key_id)')
    this.addSql(
      'create index messages_reply_to on messages (conversation_id, reply_to_id) where reply_to_id is not null'
    )
  }
}
