import type { Case } from './case.js'
import { coldPage } from './cases/cold-page.js'
import { hot } from './cases/hot.js'
import { idle } from './cases/idle.js'
import { page, pageCipher } from './cases/page.js'
import { rewrap } from './cases/rewrap.js'
import { rotate } from './cases/rotate.js'
import { send } from './cases/send.js'
import { sendFloor } from './cases/send-floor.js'

/** In the order of the table. */
export const cases: Case[] = [send, sendFloor, hot, page, pageCipher, coldPage, rotate, idle, rewrap]
