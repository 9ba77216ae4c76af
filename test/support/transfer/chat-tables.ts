import { createTestDatabase, type TestDatabase } from '../test-database.js'
import { runPython } from './python.js'

/** What make_chat_table.py prints. */
export interface ChatRows {
  users: { id: number; username: string; first_name: string }[]
  conversations: { id: number; title: string; private_key: string }[]
  messages: {
    id: number
    conversation_id: number
    sender_id: number
    body: string
    created_at: string
    plain: string
  }[]
}

/** Where they are in the tables below. */
export const CHAT_MAPPING = {
  conversations: { table: 'public.chat "conversation"', title: 'title' },
  users: { table: 'auth_user', name: 'first_name' }
}

/** A database of somebody else's, with tables that are empty yet, and rows for them. */
export async function createChatTables(
  conversations: number,
  messages: number
): Promise<{ rows: ChatRows; database: TestDatabase }> {
  const rows = runPython<ChatRows>('make_chat_table.py', [conversations, messages])
  const database = await createTestDatabase({ empty: true })
  await database.query(`create table auth_user (id integer primary key, username text, first_name text)`)
  // A name as nobody should have it.
  await database.query(`create table "chat ""conversation""" (id integer primary key, title text, private_key text)`)
  await database.query(
    `create table chat_message (id integer primary key, conversation_id integer, sender_id integer, body text, created_at timestamptz)`
  )
  return { rows, database }
}

/** Has those rows in the tables, and no others. */
export async function fillChatTables(database: TestDatabase, rows: ChatRows): Promise<void> {
  const tables = { auth_user: rows.users, '"chat ""conversation"""': rows.conversations, chat_message: rows.messages }
  for (const [table, values] of Object.entries(tables)) {
    await database.query(`delete from ${table}`)
    await database.query(`insert into ${table} select * from json_populate_recordset(null::${table}, $1)`, [
      JSON.stringify(values)
    ])
  }
}
