import { COUNT_UNREAD } from '../src/conversation/count-unread.js'
import { CREATE_CONVERSATION } from '../src/conversation/create-statement.js'
import { MARK_READ } from '../src/conversation/mark-read.js'
import { COUNT_MEMBERS, LIST_MEMBERS } from '../src/conversation/members.js'
import { COUNT_CONVERSATIONS, FIND_CONVERSATIONS, LIST_CONVERSATIONS } from '../src/conversation/viewed-conversation.js'
import { BEHIND_DEFAULTS } from '../src/conversation-key/key-defaults.js'
import { FIND_PAIRS } from '../src/conversation-key/key-supply.js'
import { LOAD_DATA_KEYS } from '../src/conversation-key/keyring.js'
import { EVENTS_OF_CHAINS, EVENTS_OF_CONVERSATION } from '../src/conversation-key/list-key-events.js'
import { ACTIVE_KEYS, LIST_KEYS } from '../src/conversation-key/list-keys.js'
import { DUE_ROTATIONS } from '../src/conversation-key/rotate-due.js'
import { ACTIVATE_DATA_KEY, LOAD_SENDING_KEY } from '../src/conversation-key/sending-keys.js'
import type { Statement } from '../src/database/database.js'
import { FIND_MEMBERS } from '../src/delivery/conversation-feed.js'
import { FIND_ENDS } from '../src/delivery/conversation-feeds.js'
import { DIGESTS_OF_MEMBERSHIPS, MEMBERSHIPS_TO_FOLLOW, STILL_MEMBERS } from '../src/delivery/memberships.js'
import { IS_THERE, READ_LOG, READ_TAIL } from '../src/delivery/read-log.js'
import { FIND_USERS } from '../src/identity/users.js'
import { DUE_DESTRUCTIONS } from '../src/key-life/destroy-key.js'
import { MESSAGES_OF_KEYS } from '../src/key-life/key-census.js'
import {
  FIND_KEY_OPERATION,
  LIST_KEY_OPERATIONS,
  OPEN_KEY_OPERATIONS,
  OPEN_REWRAP
} from '../src/key-life/key-operations.js'
import { SLOWEST_SEND_PACE } from '../src/key-life/rewrap-pace.js'
import { DELETE_MESSAGE } from '../src/message/delete-message.js'
import { EDIT_MESSAGE } from '../src/message/edit-message.js'
import {
  FIND_BY_CLIENT_ID,
  FIND_IN_SIGHT,
  FIND_LAST_MESSAGES,
  FIND_MESSAGES,
  FIRST_OF_RANGES,
  LAST_OF_RANGES
} from '../src/message/find-messages.js'
import { REREAD_MESSAGES } from '../src/message/message-opener.js'
import { REPORT_SEND_PACE } from '../src/message/send-pace.js'
import { STORE_GROUP, STORE_ONE } from '../src/message/store-statements.js'
import { EXPORT_MESSAGES } from '../src/transfer/read-messages.js'

/** A statement that requests, streams or the schedule run all the time. */
export interface HotStatement {
  statement: Statement
  /** What it may sort, where what is sorted does not grow with what is stored. */
  sorts?: string
  /** Where it takes only the first of what it finds: values to be planned for, which exist nowhere. */
  values?: unknown[]
}

const NOWHERE = '00000000-0000-4000-8000-000000000000'

export const hotStatements: HotStatement[] = [
  { statement: STORE_ONE },
  { statement: STORE_GROUP, sorts: 'the messages of one group, and their senders' },
  { statement: CREATE_CONVERSATION },
  { statement: FIND_PAIRS, values: [3072, 'local:nowhere', [NOWHERE]] },
  { statement: LOAD_SENDING_KEY },
  { statement: ACTIVATE_DATA_KEY },
  { statement: LOAD_DATA_KEYS },
  { statement: EDIT_MESSAGE },
  { statement: DELETE_MESSAGE },
  { statement: FIND_MESSAGES },
  { statement: FIND_BY_CLIENT_ID },
  { statement: FIND_LAST_MESSAGES },
  { statement: FIRST_OF_RANGES, sorts: 'the order of the pages' },
  { statement: LAST_OF_RANGES, sorts: 'the order of the pages' },
  { statement: FIND_IN_SIGHT },
  { statement: REREAD_MESSAGES },
  { statement: READ_LOG, values: [NOWHERE, 'nobody', 0, 100] },
  { statement: READ_TAIL, values: [NOWHERE, 0, 100] },
  { statement: IS_THERE },
  { statement: FIND_ENDS },
  { statement: FIND_MEMBERS },
  { statement: FIND_USERS },
  { statement: MEMBERSHIPS_TO_FOLLOW },
  { statement: DIGESTS_OF_MEMBERSHIPS },
  { statement: STILL_MEMBERS },
  { statement: FIND_CONVERSATIONS },
  // In the order of activity, which every message changes: an index in this order would be one more entry to move for
  // each member with each message.
  { statement: LIST_CONVERSATIONS, sorts: 'the conversations of one user' },
  { statement: COUNT_CONVERSATIONS },
  { statement: COUNT_UNREAD },
  { statement: MARK_READ },
  { statement: LIST_MEMBERS, sorts: 'the pages that it answers' },
  { statement: COUNT_MEMBERS },
  { statement: LIST_KEYS, sorts: 'the pages that it answers' },
  { statement: ACTIVE_KEYS, sorts: 'one key of each conversation' },
  { statement: MESSAGES_OF_KEYS },
  { statement: EVENTS_OF_CONVERSATION },
  { statement: EVENTS_OF_CHAINS },
  { statement: DUE_ROTATIONS },
  { statement: DUE_DESTRUCTIONS },
  { statement: BEHIND_DEFAULTS },
  { statement: FIND_KEY_OPERATION },
  { statement: LIST_KEY_OPERATIONS },
  { statement: OPEN_KEY_OPERATIONS },
  { statement: OPEN_REWRAP },
  { statement: SLOWEST_SEND_PACE },
  { statement: REPORT_SEND_PACE },
  { statement: EXPORT_MESSAGES, sorts: 'the messages of a page' }
]
