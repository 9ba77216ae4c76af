import type { Case } from './case.js'
import { coldPage } from './cases/cold-page.js'
import { create } from './cases/create.js'
import { depth } from './cases/depth.js'
import { fanOut } from './cases/fan-out.js'
import { hostile } from './cases/hostile.js'
import { hot } from './cases/hot.js'
import { idle } from './cases/idle.js'
import { importing, importingMillion } from './cases/import.js'
import { memory } from './cases/memory.js'
import { page, pageCipher } from './cases/page.js'
import { rewrap } from './cases/rewrap.js'
import { rotate } from './cases/rotate.js'
import { send } from './cases/send.js'
import { sendFloor } from './cases/send-floor.js'

/** In the order of the table. */
export const cases: Case[] = [
  send,
  sendFloor,
  hot,
  importing,
  importingMillion,
  page,
  pageCipher,
  coldPage,
  fanOut,
  create,
  rotate,
  idle,
  rewrap,
  depth,
  memory,
  hostile
]
