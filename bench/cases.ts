import type { Case } from './case.js'
import { coldPage } from './cases/cold-page.js'
import { hot } from './cases/hot.js'
import { page, pageCipher } from './cases/page.js'
import { send } from './cases/send.js'
import { sendFloor } from './cases/send-floor.js'

/** In the order of the table. */
export const cases: Case[] = [send, sendFloor, hot, page, pageCipher, coldPage]
