import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { RotateKeyDocument, ScheduleKeyDestructionDocument } from '../../documents/generated.js'
import type { TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { canStartRedis } from '../support/redis.js'
import { bootTwoOn, type TwoProcesses } from '../support/two-processes.js'

/** Keys are changed on one process and held open on another, which hears of it through signals only. */

describe('with signals on PostgreSQL', () => describeKeySignals('PostgreSQL'))
describe.runIf(canStartRedis)('with signals on Redis', () => describeKeySignals('Redis'))

const SOON = { timeout: 5_000 }

function describeKeySignals(where: 'PostgreSQL' | 'Redis'): void {
  let processes: TwoProcesses
  let here: TestConclave
  let there: TestConclave
  let alice: GraphQLClient
  let admin: GraphQLClient
  let bob: GraphQLClient

  beforeAll(async () => {
    processes = await bootTwoOn(where)
    here = processes.here
    there = processes.there
    alice = await here.as('alice')
    admin = await here.as('admin', { scopes: ['keys:admin'] })
    bob = await there.as('bob')
  })
  afterAll(() => processes.close())
  afterEach(() => {
    vi.restoreAllMocks()
  })

  describe('a process', () => {
    it('forgets the keys of a conversation that changed elsewhere, and no others', async () => {
      const id = await conversationOpenThere()
      const forget = vi.spyOn(there.services.keyring, 'forget')
      const forgetAll = vi.spyOn(there.services.keyring, 'forgetAll')
      await takeOutOfReach(id)
      await vi.waitFor(() => expect(forget).toHaveBeenCalledWith(id), SOON)
      expect(new Set(forget.mock.calls.flat())).toEqual(new Set([id]))
      expect(forgetAll).not.toHaveBeenCalled()
      expect(await readable(id)).toEqual([false])
    })

    it('forgets every key once it listens again, after the server has dropped its connection for signals', async () => {
      await processes.untilListening()
      const forgetAll = [here, there].map(({ services }) => vi.spyOn(services.keyring, 'forgetAll'))
      await processes.dropListeners()
      await vi.waitFor(() => {
        for (const forgotten of forgetAll) expect(forgotten).toHaveBeenCalled()
      }, SOON)
      await processes.untilListening()
    })

    it('does not open what was put out of reach while it could not listen', async () => {
      const id = await conversationOpenThere()
      const forgetAll = vi.spyOn(there.services.keyring, 'forgetAll')
      await processes.untilListening()
      // The signal is lost as well: what brings the news is that the connection is back.
      vi.spyOn(here.services.signals, 'publish').mockImplementation(() => {})
      await processes.dropListeners()
      await takeOutOfReach(id)
      await vi.waitFor(() => expect(forgetAll).toHaveBeenCalled(), SOON)
      expect(await readable(id)).toEqual([false])
    })
  })

  /** A conversation whose first message, under a version that is no longer active, is in the other process's cache. */
  async function conversationOpenThere(): Promise<string> {
    const id = await createConversation(alice, ['bob'])
    await send(alice, id, 'under the first version')
    await alice.run(RotateKeyDocument, { conversationId: id })
    expect(await readable(id)).toEqual([true])
    return id
  }

  async function takeOutOfReach(conversationId: string): Promise<void> {
    await admin.run(ScheduleKeyDestructionDocument, { conversationId, version: 1, after: 'P7D' })
  }

  /** For each message, whether Bob can read it. */
  async function readable(id: string): Promise<boolean[]> {
    return (await readBack(bob, id)).map(({ status }) => status === 'READABLE')
  }
}
