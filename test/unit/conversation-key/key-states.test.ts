import { describe, expect, it } from 'vitest'
import { Migration0002KeyLife } from '../../../migrations/0002-key-life.js'
import { KEY_TRANSITIONS, requireTransition } from '../../../src/conversation-key/key-states.js'
import type { KeyState } from '../../../src/database/entities.js'
import { Conflict } from '../../../src/errors.js'
import { thrownBy } from '../failures.js'

const ROTATE_FIRST = 'The active key version cannot be destroyed. Rotate the key first.'
const ALREADY_WAITING = 'The key version is already waiting for its destruction.'
const ALREADY_COMPROMISED = 'The key version is already marked as compromised.'
const GONE = 'The key version is destroyed; nothing can be done with it any more.'

/** No operation asks for this move: it is refused with whatever words. */
const REFUSED = /\S/

type Cell = 'allowed' | string | RegExp
type Row = Record<KeyState, Cell>

/** From each state, at the left, to each state: allowed, or what the refusal says. */
const TABLE: Record<KeyState, Row> = {
  PRE_ACTIVATION: {
    PRE_ACTIVATION: REFUSED,
    ACTIVE: 'allowed',
    DEACTIVATED: REFUSED,
    COMPROMISED: REFUSED,
    PENDING_DESTRUCTION: REFUSED,
    DESTROYED: REFUSED
  },
  ACTIVE: {
    PRE_ACTIVATION: REFUSED,
    ACTIVE: REFUSED,
    DEACTIVATED: 'allowed',
    COMPROMISED: 'allowed',
    PENDING_DESTRUCTION: ROTATE_FIRST,
    DESTROYED: ROTATE_FIRST
  },
  DEACTIVATED: {
    PRE_ACTIVATION: REFUSED,
    ACTIVE: REFUSED,
    DEACTIVATED: REFUSED,
    COMPROMISED: 'allowed',
    PENDING_DESTRUCTION: 'allowed',
    DESTROYED: REFUSED
  },
  COMPROMISED: {
    PRE_ACTIVATION: REFUSED,
    ACTIVE: REFUSED,
    DEACTIVATED: REFUSED,
    COMPROMISED: ALREADY_COMPROMISED,
    PENDING_DESTRUCTION: 'allowed',
    DESTROYED: REFUSED
  },
  PENDING_DESTRUCTION: {
    PRE_ACTIVATION: REFUSED,
    ACTIVE: REFUSED,
    DEACTIVATED: 'allowed',
    COMPROMISED: 'allowed',
    PENDING_DESTRUCTION: ALREADY_WAITING,
    DESTROYED: 'allowed'
  },
  DESTROYED: {
    PRE_ACTIVATION: GONE,
    ACTIVE: GONE,
    DEACTIVATED: GONE,
    COMPROMISED: GONE,
    PENDING_DESTRUCTION: GONE,
    DESTROYED: GONE
  }
}

const STATES = Object.keys(TABLE) as KeyState[]
const cells = STATES.flatMap((from) => STATES.map((to) => ({ from, to, cell: TABLE[from][to] })))

describe('a key version', () => {
  it.each(cells.filter(({ cell }) => cell !== 'allowed'))('does not go from $from to $to', ({ from, to, cell }) => {
    const refused = thrownBy(() => requireTransition(from, to))
    expect(refused).toBeInstanceOf(Conflict)
    expect(refused).toMatchObject({
      code: 'CONFLICT',
      message: typeof cell === 'string' ? cell : expect.stringMatching(cell)
    })
  })

  it.each(cells.filter(({ cell }) => cell === 'allowed'))('goes from $from to $to', ({ from, to }) => {
    expect(() => requireTransition(from, to)).not.toThrow()
  })

  it('is not active a second time, and comes back from nothing but a destruction that still waits', () => {
    const sourcesOf = (state: KeyState) => STATES.filter((from) => KEY_TRANSITIONS[from].includes(state))
    expect(sourcesOf('ACTIVE')).toEqual(['PRE_ACTIVATION'])
    expect(sourcesOf('DEACTIVATED')).toEqual(['ACTIVE', 'PENDING_DESTRUCTION'])
    expect(sourcesOf('DESTROYED')).toEqual(['PENDING_DESTRUCTION'])
  })
})

describe('the table of moves', () => {
  it('has every state, and no move twice', () => {
    expect(Object.keys(KEY_TRANSITIONS).sort()).toEqual([...STATES].sort())
    for (const to of Object.values(KEY_TRANSITIONS)) expect(new Set(to).size).toBe(to.length)
  })

  it('is the one that the database holds, but for the state of the pairs in the pool', () => {
    const moves = STATES.filter((from) => from !== 'PRE_ACTIVATION').flatMap((from) =>
      KEY_TRANSITIONS[from].map((to) => `${from} > ${to}`)
    )
    expect(movesInDatabase().sort()).toEqual(moves.sort())
  })
})

/** What the migration puts into key_transitions. */
function movesInDatabase(): string[] {
  const migration = new Migration0002KeyLife(...([] as unknown as ConstructorParameters<typeof Migration0002KeyLife>))
  migration.up()
  const inserts = migration.getQueries().filter((query) => /insert\s+into\s+key_transitions/.test(String(query)))
  expect(inserts).toHaveLength(1)
  return [...String(inserts[0]).matchAll(/\('(\w+)', '(\w+)'\)/g)].map(([, from, to]) => `${from} > ${to}`)
}
