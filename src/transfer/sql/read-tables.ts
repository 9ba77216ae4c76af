import type { Client } from 'pg'
import { isName } from '../../identity/user-id.js'
import type { SourceLine } from '../import-source.js'
import { checkRecord } from '../records.js'
import { TransferError } from '../transfer-error.js'
import { OaepBodies } from './oaep-bodies.js'
import type { TableMapping } from './table-mapping.js'
import { type TableStatements, tableStatements } from './table-statements.js'

const PAGE = 500

interface ConversationRow {
  id: string
  privateKey: string | null
  title: string | null
  createdAt: Date | null
  owner: string | null
}

interface MessageRow {
  id: string
  senderId: string | null
  body: string | null
  /** To the microsecond, in which the table may have it. */
  at: string
  createdAt: Date
  editedAt: Date | null
  deletedAt: Date | null
}

interface MemberRow {
  /** Null for those whom the table of users does not have, all together. */
  userId: string | null
  name: string | null
}

/** A record as it stands in a row: checked like a line of a file. */
type Row = { content: unknown[]; read: (number: number) => object | Promise<object> }

/** How to connect for {@link readTables}: instants without a zone are UTC, and nothing is written. */
export const READ_ONLY = '-c timezone=UTC -c default_transaction_read_only=on'

/**
 * Reads conversations, their messages and their members out of somebody else's tables, in the order of their ids and
 * times. Bodies are opened when they are asked for: what an earlier run has imported costs nothing but reading.
 *
 * @param client connected with {@link READ_ONLY}
 * @throws TransferError
 */
export async function* readTables(client: Client, mapping: TableMapping): AsyncGenerator<SourceLine> {
  const statements = tableStatements(mapping)
  await requireDated(client, statements)
  let number = 0
  for await (const conversation of conversationsOf(client, statements)) {
    for await (const { content, read } of readOne(client, statements, conversation, mapping.nobody)) {
      const own = ++number
      yield { number: own, content: JSON.stringify(content), read: async () => asRecord(own, await read(own)) }
    }
  }
}

/** @throws TransferError FORMAT */
async function requireDated(client: Client, { undated }: TableStatements): Promise<void> {
  const [row] = (await client.query<{ id: string; conversationId: string | null }>(undated)).rows
  if (!row) return
  throw new TransferError(
    'FORMAT',
    `Message ${row.id} of conversation ${row.conversationId} has no time at which it was written. Give one to it, and to all that have none.`
  )
}

async function* readOne(
  client: Client,
  statements: TableStatements,
  conversation: ConversationRow,
  nobody: string | null
): AsyncGenerator<Row> {
  const { id, privateKey, title, createdAt, owner } = conversation
  yield {
    content: ['conversation', id, title],
    read: () => ({ type: 'conversation', id, title, ...instants({ createdAt }) })
  }
  let bodies: OaepBodies | null = null
  const senders = new Set<string>()
  for await (const row of messagesOf(client, statements, id)) {
    const { senderId, at, body, editedAt, deletedAt } = row
    if (senderId !== null) senders.add(senderId)
    yield {
      content: ['message', id, row.id, senderId, at, body, editedAt, deletedAt],
      read: async (number) => {
        bodies ??= bodiesOf(id, privateKey, number)
        return await readMessage(id, { ...row, senderId: senderId ?? nobody }, bodies, number)
      }
    }
  }
  const members = (await client.query<MemberRow>(statements.members, [id])).rows
  yield* membersOf(members, id, owner, senders, nobody)
}

/** @throws TransferError KEY, with the conversation whose key it is */
function bodiesOf(conversationId: string, privateKey: string | null, line: number): OaepBodies {
  try {
    return new OaepBodies(privateKey ?? '')
  } catch (error) {
    if (!(error instanceof TransferError)) throw error
    throw new TransferError(error.code, `Conversation ${conversationId}: ${error.message}`, line)
  }
}

async function* conversationsOf(client: Client, { conversations }: TableStatements): AsyncGenerator<ConversationRow> {
  let after: ConversationRow | undefined
  do {
    const values = [after === undefined, after?.id ?? null, PAGE]
    const { rows }: { rows: ConversationRow[] } = await client.query<ConversationRow>(conversations, values)
    yield* rows
    after = rows.at(-1)
  } while (after)
}

async function* messagesOf(
  client: Client,
  { messages }: TableStatements,
  conversationId: string
): AsyncGenerator<MessageRow> {
  let after: MessageRow | undefined
  do {
    const values = [conversationId, after?.at ?? null, after?.id ?? null, PAGE]
    const { rows }: { rows: MessageRow[] } = await client.query<MessageRow>(messages, values)
    yield* rows
    after = rows.at(-1)
  } while (after)
}

async function readMessage(
  conversationId: string,
  row: MessageRow,
  bodies: OaepBodies,
  number: number
): Promise<object> {
  const { id, senderId, createdAt, editedAt, deletedAt } = row
  if (senderId === null) throw missing(`Message ${id} of conversation ${conversationId} has no sender.`, number)
  const body = deletedAt === null && row.body !== null ? await bodies.open(row.body) : null
  if (deletedAt === null && body === null) {
    throw new TransferError('LINE', `The key of conversation ${conversationId} does not open message ${id}.`, number)
  }
  return { type: 'message', conversationId, id, senderId, body, ...instants({ createdAt, editedAt, deletedAt }) }
}

/**
 * Where nobody is named as its owner, whoever of the members has written first is, or else the first of them.
 *
 * @param senders in the order in which they have written first; some may have left
 */
function* membersOf(
  rows: MemberRow[],
  conversationId: string,
  owner: string | null,
  senders: ReadonlySet<string>,
  nobody: string | null
): Generator<Row> {
  const known = rows.filter((row): row is MemberRow & { userId: string } => row.userId !== null)
  const members = new Set(known.map(({ userId }) => userId))
  const owning = owner ?? [...senders].find((sender) => members.has(sender)) ?? known[0]?.userId ?? nobody
  if (owning === null) return yield ownerless(conversationId)
  for (const { userId, name } of members.has(owning) ? known : [...known, { userId: owning, name: null }]) {
    if (name !== null && isName(name)) {
      yield { content: ['user', userId, name], read: () => ({ type: 'user', id: userId, name }) }
    }
    const role = userId === owning ? 'OWNER' : 'MEMBER'
    yield {
      content: ['member', conversationId, userId, role],
      read: () => ({ type: 'member', conversationId, userId, role })
    }
  }
}

function ownerless(conversationId: string): Row {
  return {
    content: ['member', conversationId, null, 'OWNER'],
    read: (number) => {
      throw missing(`Nobody is in conversation ${conversationId}.`, number)
    }
  }
}

function missing(problem: string, number: number): TransferError {
  return new TransferError('LINE', `${problem} Name a user who stands for them, as "nobody" in the mapping.`, number)
}

/** Those that there are, in their form. */
function instants(dates: Record<string, Date | null>): Record<string, string> {
  const given = Object.entries(dates).filter((entry): entry is [string, Date] => entry[1] !== null)
  return Object.fromEntries(given.map(([name, date]) => [name, date.toISOString()]))
}

function asRecord(number: number, value: object) {
  const record = checkRecord(value)
  if ('problem' in record) throw new TransferError('LINE', `The row is no record: ${record.problem}.`, number)
  return record
}
