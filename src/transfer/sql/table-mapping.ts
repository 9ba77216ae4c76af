import pg from 'pg'
import { z } from 'zod'
import { TransferError } from '../transfer-error.js'

/** Name of a table, with its schema or without, or of a column: of one's own choice, and quoted wherever it is used. */
const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'PostgreSQL has no such name')
const optional = name.nullable().default(null)

const mapping = z.strictObject({
  conversations: z
    .strictObject({
      table: name.default('chat_conversation'),
      id: name.default('id'),
      /** RSA private key in PEM. */
      privateKey: name.default('private_key'),
      title: optional,
      createdAt: optional,
      /** Whoever it belongs to, by the id that senders have. */
      owner: optional
    })
    .prefault({}),
  messages: z
    .strictObject({
      table: name.default('chat_message'),
      id: name.default('id'),
      conversation: name.default('conversation_id'),
      sender: name.default('sender_id'),
      /** Base64 of what RSA-OAEP has made. */
      body: name.default('body'),
      createdAt: name.default('created_at'),
      editedAt: optional,
      deletedAt: optional
    })
    .prefault({}),
  /** Null: whoever has sent something is a member. */
  members: z
    .strictObject({ table: name, conversation: name.default('conversation_id'), user: name.default('user_id') })
    .nullable()
    .default(null),
  /** Null: what stands in the columns above is the user id. */
  users: z
    .strictObject({
      table: name,
      id: name.default('id'),
      /** What tokens have as their `sub`. */
      userId: name.default('username'),
      name: optional
    })
    .nullable()
    .default(null),
  /** User id that stands for people whom the tables do not have any more. Null: they must not be missing. */
  nobody: optional
})

/** Where somebody else's tables have what is imported. */
export type TableMapping = z.infer<typeof mapping>

/** @param json text of the mapping; null for the names that it has without one. @throws TransferError FORMAT */
export function parseMapping(json: string | null): TableMapping {
  let value: unknown
  try {
    value = json === null ? {} : JSON.parse(json)
  } catch {
    throw new TransferError('FORMAT', 'The mapping is not JSON.')
  }
  const parsed = mapping.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new TransferError('FORMAT', `The mapping is wrong. ${problems.join('; ')}.`)
}

export function quotedColumn(alias: string, column: string): string {
  return `${alias}.${pg.escapeIdentifier(column)}`
}

/** A dot parts the schema from the table. */
export function quotedTable(table: string): string {
  return table.split('.').map(pg.escapeIdentifier).join('.')
}
