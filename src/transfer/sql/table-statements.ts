import { quotedColumn, quotedTable, type TableMapping } from './table-mapping.js'

/** The statements that read somebody else's tables: every name in them is quoted, every value is a parameter. */
export interface TableStatements {
  /** $1 whether it begins, $2 the id behind which it goes on, $3 how many. */
  conversations: string
  /** $1 the conversation, compared as the column has it, so that its index serves; $2 and $3 the place behind which it goes on (null at first), $4 how many. */
  messages: string
  /** $1 the conversation. */
  members: string
  /** A message that has no time, if there is one: it would have no place in the order. */
  undated: string
}

export function tableStatements(mapping: TableMapping): TableStatements {
  return {
    conversations: conversations(mapping),
    messages: messages(mapping),
    members: members(mapping),
    undated: undated(mapping)
  }
}

const column = (alias: string, name: string | null, type: string) =>
  name === null ? `null::${type}` : `${quotedColumn(alias, name)}::${type}`

/** The user id behind a reference: what the table of users has for it, or the reference itself. */
function user({ users }: TableMapping, reference: string): { id: string; name: string; join: string } {
  if (!users) return { id: `${reference}::text`, name: 'null::text', join: '' }
  const on = `${quotedColumn('u', users.id)} = ${reference}`
  return {
    id: column('u', users.userId, 'text'),
    name: column('u', users.name, 'text'),
    join: `left join ${quotedTable(users.table)} u on ${on}`
  }
}

function conversations(mapping: TableMapping): string {
  const { table, id, privateKey, title, createdAt, owner } = mapping.conversations
  const { id: ownerId, join } =
    owner === null ? { id: 'null::text', join: '' } : user(mapping, quotedColumn('c', owner))
  return `
    select ${column('c', id, 'text')} as id, ${column('c', privateKey, 'text')} as "privateKey",
           ${column('c', title, 'text')} as title, ${column('c', createdAt, 'timestamptz')} as "createdAt", ${ownerId} as owner
      from ${quotedTable(table)} c ${join}
     where $1::boolean or ${quotedColumn('c', id)} > $2
     order by ${quotedColumn('c', id)}
     limit $3`
}

function messages(mapping: TableMapping): string {
  const { table, id, conversation, sender, body, createdAt, editedAt, deletedAt } = mapping.messages
  const { id: senderId, join } = user(mapping, quotedColumn('m', sender))
  // As it is read: a time without a zone is one of UTC on this connection.
  const place = `${column('m', createdAt, 'timestamptz')}, ${quotedColumn('m', id)}`
  return `
    select ${column('m', id, 'text')} as id, ${senderId} as "senderId", ${column('m', body, 'text')} as body,
           ${column('m', createdAt, 'timestamptz')}::text as at, ${column('m', createdAt, 'timestamptz')} as "createdAt",
           ${column('m', editedAt, 'timestamptz')} as "editedAt", ${column('m', deletedAt, 'timestamptz')} as "deletedAt"
      from ${quotedTable(table)} m ${join}
     where ${quotedColumn('m', conversation)} = $1 and ($2::timestamptz is null or (${place}) > ($2, $3))
     order by ${place}
     limit $4`
}

function undated({ messages: { table, id, conversation, createdAt } }: TableMapping): string {
  return `
    select ${column('m', id, 'text')} as id, ${column('m', conversation, 'text')} as "conversationId"
      from ${quotedTable(table)} m where ${quotedColumn('m', createdAt)} is null limit 1`
}

function members(mapping: TableMapping): string {
  const source = mapping.members ?? { ...mapping.messages, user: mapping.messages.sender }
  const { id, name, join } = user(mapping, quotedColumn('m', source.user))
  return `
    select ${id} as "userId", min(${name}) as name
      from ${quotedTable(source.table)} m ${join}
     where ${quotedColumn('m', source.conversation)} = $1
     group by 1 order by 1`
}
