import { Migration0001Conversations } from './0001-conversations.js'
import { Migration0002KeyLife } from './0002-key-life.js'

/** Every migration, in order. Append only: a migration that was released never changes. */
export const migrations = [
  { name: '0001-conversations', class: Migration0001Conversations },
  { name: '0002-key-life', class: Migration0002KeyLife }
]
