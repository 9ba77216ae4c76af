import { describe, expect, it } from 'vitest'
import { KeysDocument } from '../../documents/generated.js'
import { verifyKeyEvents } from '../../src/conversation-key/verify-key-events.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { runDueWork } from '../support/worker-run.js'

const DAY_MS = 24 * 60 * 60 * 1000
const DAYS = 400
const ROTATE = 30
const KEEP = 90
const GRACE = 7
const POLICY = { rotateAfter: `P${ROTATE}D`, destroyAfter: `P${KEEP}D` }

describe('four hundred days of a policy', () => {
  it('take every version through its states on the days that the policy says', { timeout: 120_000 }, async () => {
    const conclave = await bootConclave()
    await conclave.workerServices.keySupply.refill(15)
    const start = conclave.clock.now().getTime()
    const id = await createConversation(await conclave.as('alice'), [], { keyPolicy: POLICY })
    const sentOn: number[] = []
    for (let day = 0; day <= DAYS; day++) {
      await runDueWork(conclave)
      expect(await statesOn(conclave, id), `day ${day}`).toEqual(expectedStates(day))
      if (day % 7 === 0) {
        await send(await conclave.as('alice'), id, `day ${day}`)
        sentOn.push(day)
      }
      if (day < DAYS) conclave.clock.advance(DAY_MS)
    }

    const alice = await conclave.as('alice')
    const messages = await readBack(alice, id)
    expect(messages.map(({ keyVersion, status }) => [keyVersion, status])).toEqual(
      sentOn.map((day) => [
        versionOn(day),
        stateOn(versionOn(day), DAYS) === 'DESTROYED' ? 'KEY_DESTROYED' : statusOf(day)
      ])
    )
    const at = (day: number) => new Date(start + day * DAY_MS).toISOString()
    const keys = (await alice.run(KeysDocument, { id })).conversation?.keys ?? []
    expect(
      keys.map(({ version, rotationReason, activatedAt, rotatesAt }) => [
        version,
        rotationReason,
        activatedAt,
        rotatesAt
      ])
    ).toEqual(
      expectedStates(DAYS).map((_, index) => [
        index + 1,
        index === 0 ? 'CREATED' : 'SCHEDULED',
        at(index * ROTATE),
        at((index + 1) * ROTATE)
      ])
    )
    expect(await auditOf(conclave, id, start)).toEqual(expectedAudit())
    expect(await verifyKeyEvents(conclave.services)).toMatchObject({ valid: true })
    await conclave.close()
  })
})

/** The version that is active at the end of a day. */
function versionOn(day: number): number {
  return Math.floor(day / ROTATE) + 1
}

function stateOn(version: number, day: number): string {
  const age = day - version * ROTATE
  if (age < 0) return 'ACTIVE'
  if (age < KEEP) return 'DEACTIVATED'
  return age < KEEP + GRACE ? 'PENDING_DESTRUCTION' : 'DESTROYED'
}

function statusOf(day: number): string {
  return stateOn(versionOn(day), DAYS) === 'PENDING_DESTRUCTION' ? 'UNREADABLE' : 'READABLE'
}

function expectedStates(day: number): string[] {
  return Array.from({ length: versionOn(day) }, (_, index) => stateOn(index + 1, day))
}

/** Every event, as `day action version`, each on its day. */
function expectedAudit(): string[] {
  const created: [number, string] = [0, 'key.policy-set null']
  const events = expectedStates(DAYS).flatMap((_, index) => {
    const version = index + 1
    const end = version * ROTATE
    return [
      [index * ROTATE, `key.activated ${version}`],
      [end, `key.deactivated ${version}`],
      [end + KEEP, `key.destruction-scheduled ${version}`],
      [end + KEEP + GRACE, `key.destroyed ${version}`]
    ] as const
  })
  return [created, ...events]
    .filter(([day]) => day <= DAYS)
    .map(([day, event]) => `${day} ${event}`)
    .sort()
}

async function statesOn(conclave: TestConclave, id: string): Promise<string[]> {
  const text = 'select state from conversation_keys where conversation_id = $1 order by version'
  return (await conclave.database.query<{ state: string }>(text, [id])).map(({ state }) => state)
}

async function auditOf(conclave: TestConclave, id: string, start: number): Promise<string[]> {
  const rows = await conclave.database.query<{ at: Date; action: string; key_version: number }>(
    'select at, action, key_version from key_events where conversation_id = $1',
    [id]
  )
  return rows.map(({ at, action, key_version }) => `${(at.getTime() - start) / DAY_MS} ${action} ${key_version}`).sort()
}
