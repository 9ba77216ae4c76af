import { Migration0001Conversations } from './0001-conversations.js'
import { Migration0002KeyLife } from './0002-key-life.js'
import { Migration0003KeyLifeKept } from './0003-key-life-kept.js'
import { Migration0004MasterKeyVersion } from './0004-master-key-version.js'
import { Migration0005Rewrap } from './0005-rewrap.js'
import { Migration0006JoinedChange } from './0006-joined-change.js'
import { Migration0007DueInOrder } from './0007-due-in-order.js'
import { Migration0008KeyEventsInBulk } from './0008-key-events-in-bulk.js'
import { Migration0009DatabaseRoles } from './0009-database-roles.js'
import { Migration0010Transfer } from './0010-transfer.js'
import { Migration0011KeyEventsInOneInsert } from './0011-key-events-in-one-insert.js'
import { Migration0012ImportLosses } from './0012-import-losses.js'
import { Migration0013RecordedStates } from './0013-recorded-states.js'
import { Migration0014KeyEventsByScalars } from './0014-key-events-by-scalars.js'
import { Migration0015KeyEventsLookedFor } from './0015-key-events-looked-for.js'

/** Every migration, in order. Append only: a migration that was released never changes. */
export const migrations = [
  { name: '0001-conversations', class: Migration0001Conversations },
  { name: '0002-key-life', class: Migration0002KeyLife },
  { name: '0003-key-life-kept', class: Migration0003KeyLifeKept },
  { name: '0004-master-key-version', class: Migration0004MasterKeyVersion },
  { name: '0005-rewrap', class: Migration0005Rewrap },
  { name: '0006-joined-change', class: Migration0006JoinedChange },
  { name: '0007-due-in-order', class: Migration0007DueInOrder },
  { name: '0008-key-events-in-bulk', class: Migration0008KeyEventsInBulk },
  { name: '0009-database-roles', class: Migration0009DatabaseRoles },
  { name: '0010-transfer', class: Migration0010Transfer },
  { name: '0011-key-events-in-one-insert', class: Migration0011KeyEventsInOneInsert },
  { name: '0012-import-losses', class: Migration0012ImportLosses },
  { name: '0013-recorded-states', class: Migration0013RecordedStates },
  { name: '0014-key-events-by-scalars', class: Migration0014KeyEventsByScalars },
  { name: '0015-key-events-looked-for', class: Migration0015KeyEventsLookedFor }
]
