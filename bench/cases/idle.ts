import { DUE_ROTATIONS, type DueRotation, findDueRotations } from '../../src/conversation-key/rotate-due.js'
import { Database } from '../../src/database/database.js'
import { databaseLogin } from '../../src/database/database-login.js'
import { createLogger } from '../../src/log.js'
import type { Case } from '../case.js'
import { planFaults } from '../plan-faults.js'
import { bulkConversations, inBulk } from '../seeding/bulk-rows.js'
import type { BenchDatabase, Stage } from '../stage.js'

const MANY = 1_000_000
const FEW = 1_000
const USED = 100
/** As the job has it. */
const BATCH = 50
const SCANS = 500

export const idle: Case = {
  name: 'idle',
  measured: 'scan for what is due, 1,000,000 conversations, 100 of them used',
  beside: 'the same, 1,000 conversations, 100 of them used',
  unit: 'ms',
  goal: { ratio: 'AT_MOST', value: 1.5 },
  async prepare(stage) {
    const many = await openScanning(stage, MANY)
    const few = await openScanning(stage, FEW)
    return {
      measured: () => many.scan(),
      beside: () => few.scan(),
      misses: () => planFaults((text, values) => many.database.query(text, values), { statement: DUE_ROTATIONS }),
      async close() {
        await many.close()
        await few.close()
      }
    }
  }
}

interface Scanning {
  database: BenchDatabase
  /** @returns milliseconds of one scan, to its end */
  scan(): Promise<number>
  close(): Promise<void>
}

async function openScanning(stage: Stage, conversations: number): Promise<Scanning> {
  const database = await stage.database()
  // No key is read: that there are as many of them is enough.
  const pairBytes = { publicKey: 1, wrappedPrivateKey: 1 }
  await database.query(inBulk(...bulkConversations(conversations, { used: USED, pairBytes })))
  await database.query('vacuum (analyze)')
  const opened = await Database.open(databaseLogin(database.url, 'conclave_worker'), 1, createLogger('error'))
  return {
    database,
    async scan() {
      const begin = performance.now()
      for (let scans = 0; scans < SCANS; scans++) await scanToItsEnd(opened)
      return (performance.now() - begin) / SCANS
    },
    async close() {
      await opened.close()
      await database.drop()
    }
  }
}

async function scanToItsEnd(database: Database): Promise<void> {
  let after: DueRotation | null = null
  let found = 0
  for (let batch = BATCH; batch === BATCH; ) {
    const due: DueRotation[] = await findDueRotations({ database, now: new Date() }, BATCH, after)
    after = due.at(-1) ?? after
    batch = due.length
    found += batch
  }
  if (found !== USED) throw new Error(`${USED} keys are due, and ${found} were found`)
}
