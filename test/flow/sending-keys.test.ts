import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { RenameConversationDocument, RotateKeyDocument } from '../../documents/generated.js'
import {
  ACTIVATE_DATA_KEY,
  LOAD_SENDING_KEY,
  type SendingKey,
  SendingKeys,
  STALE_KEY
} from '../../src/conversation-key/sending-keys.js'
import type { Statement } from '../../src/database/database.js'
import { Conflict, NotFound } from '../../src/errors.js'
import { MasterKeyError } from '../../src/master-key/master-key-error.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'

/** How often a key is looked for before it is given up: by one alone, and then in line with the others of the process. */
const ROUNDS = { alone: 3, inLine: 100 }

let conclave: TestConclave
let alice: GraphQLClient
let id: string

beforeAll(async () => {
  conclave = await bootConclave()
  await conclave.workerServices.keySupply.refill(4)
  alice = await conclave.as('alice')
  id = await createConversation(alice, ['bob'])
})
afterAll(() => conclave.close())
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a sending key', () => {
  it('is refused for a conversation that there is not, or that was deleted', async () => {
    const { sendingKeys } = conclave.services
    const unknown = '01890000-0000-7000-8000-000000000000'
    await expect(sendingKeys.use(unknown, same)).rejects.toThrow(new NotFound('conversation'))
    const deleted = await createConversation(alice, [])
    await conclave.database.query('update conversations set deleted_at = now() where id = $1', [deleted])
    await expect(sendingKeys.use(deleted, same)).rejects.toThrow(NotFound)
  })

  it('is looked for once, by however many need it at once and after them', async () => {
    const { sendingKeys } = freshProcess()
    const found = runs(LOAD_SENDING_KEY)
    const keys = await Promise.all([1, 2, 3].map(() => sendingKeys.use(id, same)))
    keys.push(await sendingKeys.use(id, same))
    expect(new Set(keys.map(({ dataKeyId }) => dataKeyId)).size).toBe(1)
    expect(found()).toBe(1)
  })

  it('that was made is open at once: nothing is unwrapped for it', async () => {
    await alice.run(RotateKeyDocument, { conversationId: id })
    conclave.services.sendingKeys.forget(id)
    const unwrap = vi.spyOn(conclave.services.masterKeys.current, 'unwrap')
    const found = runs(LOAD_SENDING_KEY)
    expect(await conclave.services.sendingKeys.use(id, same)).toMatchObject({ keyVersion: 2 })
    expect(found()).toBe(1)
    expect(unwrap).not.toHaveBeenCalled()
  })

  it('is looked for again after it was forgotten, and after it could not be found', async () => {
    const { sendingKeys } = freshProcess()
    const lost = vi.spyOn(conclave.services.database, 'run').mockRejectedValueOnce(new Error('connection lost'))
    await expect(sendingKeys.use(id, same)).rejects.toThrow('connection lost')
    await sendingKeys.use(id, same)
    lost.mockRestore()
    const found = runs(LOAD_SENDING_KEY)
    await sendingKeys.use(id, same)
    expect(found()).toBe(0)
    sendingKeys.forget(id)
    await sendingKeys.use(id, same)
    expect(found()).toBe(1)
  })

  it('that one could not find, and others have found meanwhile, is not looked for again', async () => {
    const { sendingKeys } = freshProcess()
    const late = Promise.withResolvers<never>()
    const run = vi.spyOn(conclave.services.database, 'run').mockReturnValueOnce(late.promise)
    const failing = sendingKeys.use(id, same)
    sendingKeys.forget(id)
    await sendingKeys.use(id, same)
    run.mockRestore()
    late.reject(new Error('connection lost'))
    await expect(failing).rejects.toThrow('connection lost')
    const found = runs(LOAD_SENDING_KEY)
    await sendingKeys.use(id, same)
    expect(found()).toBe(0)
  })

  it('that the process cannot open is replaced: sending needs no private key', async () => {
    const { keyring, masterKeys, sendingKeys } = conclave.services
    const before = await sendingKeys.use(id, same)
    sendingKeys.forget(id)
    keyring.forgetAll()
    vi.spyOn(masterKeys.current, 'unwrap').mockRejectedValue(new MasterKeyError('UNREACHABLE', 'local:test', 'away'))
    const after = await sendingKeys.use(id, same)
    expect(after.dataKeyId).not.toBe(before.dataKeyId)
    expect(after.keyVersion).toBe(before.keyVersion)
  })

  it('that another process has just made is taken from it', async () => {
    const rotated = await createConversation(alice, [])
    await alice.run(RotateKeyDocument, { conversationId: rotated })
    let elsewhere: SendingKey | undefined
    const { database } = conclave.services
    const run = database.run.bind(database)
    vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
      if (statement === ACTIVATE_DATA_KEY) elsewhere ??= await conclave.workerServices.sendingKeys.use(rotated, same)
      return await run(statement, values)
    })
    const here = await conclave.services.sendingKeys.use(rotated, same)
    expect(elsewhere).toBeDefined()
    expect(here.dataKeyId).toBe(elsewhere?.dataKeyId)
  })
})

describe('whoever finds the sending key stale', () => {
  it('has the next one, looked for afresh', async () => {
    const rotated = await createConversation(alice, [])
    await conclave.services.sendingKeys.use(rotated, same)
    await alice.run(RotateKeyDocument, { conversationId: rotated })
    const versions: number[] = []
    await conclave.services.sendingKeys.use(rotated, async (key) => {
      versions.push(key.keyVersion)
      return key.keyVersion === 2 ? key : STALE_KEY
    })
    expect(versions).toEqual([1, 2])
  })

  it('when others have the next one already leaves it to them', async () => {
    const { sendingKeys } = freshProcess()
    const late = Promise.withResolvers<void>()
    let attempts = 0
    const losing = sendingKeys.use(id, async (key) => {
      if (++attempts > 1) return key
      await late.promise
      return STALE_KEY
    })
    await vi.waitFor(() => expect(attempts).toBe(1))
    sendingKeys.forget(id)
    await sendingKeys.use(id, same)
    const found = runs(LOAD_SENDING_KEY)
    late.resolve()
    await losing
    expect(found()).toBe(0)
  })

  it('again and again is told at last to try another time', async () => {
    let attempts = 0
    const losing = conclave.services.sendingKeys.use(id, async () => {
      attempts++
      return STALE_KEY
    })
    await expect(losing).rejects.toThrow(new Conflict('The conversation is changing too fast. Try again.'))
    expect(attempts).toBe(ROUNDS.alone + ROUNDS.inLine)
  })

  it('goes on in line with the others of the process, of whom one tries at a time', async () => {
    let trying = 0
    let most = 0
    const loser = async (rounds: number) => {
      let attempts = 0
      return await conclave.services.sendingKeys.use(id, async () => {
        attempts++
        if (attempts <= ROUNDS.alone) return STALE_KEY
        most = Math.max(most, ++trying)
        await new Promise(setImmediate)
        trying--
        return attempts > ROUNDS.alone + rounds ? attempts : STALE_KEY
      })
    }
    const early = loser(0).then(() => loser(1))
    expect(await Promise.all([early, loser(20), loser(20)])).toEqual([5, 24, 24])
    expect(most).toBe(1)
  })

  it('because the key is due, and cannot be rotated either, is told at last to try another time', async () => {
    const due = await createConversation(alice, [])
    await send(alice, due, 'used')
    await conclave.database.query('update conversations set key_rotates_at = $2 where id = $1', [
      due,
      conclave.clock.now()
    ])
    const asked: string[] = []
    const { sendingKeys } = freshProcess(async (conversationId) => void asked.push(conversationId))
    await expect(sendingKeys.use(due, same)).rejects.toThrow(
      new Conflict('The conversation is changing too fast. Try again.')
    )
    expect(asked).toEqual(Array(ROUNDS.inLine).fill(due))
  })
})

describe('who may have the sending key', () => {
  it('is looked up where no key is in use yet, and a stranger has none looked for', async () => {
    const { sendingKeys } = freshProcess()
    const found = runs(LOAD_SENDING_KEY)
    await expect(sendingKeys.admit(id, viewer('mallory'))).rejects.toThrow(new NotFound('conversation'))
    await sendingKeys.admit(id, viewer('bob'))
    expect(found()).toBe(0)
  })

  it('is left to the statement that stores where one is in use', async () => {
    const { sendingKeys } = freshProcess()
    await sendingKeys.use(id, same)
    await expect(sendingKeys.admit(id, viewer('mallory'))).resolves.toBeUndefined()
  })
})

describe('a data key', () => {
  it('covers no more messages than it may, edits and notices counted', async () => {
    const limited = await bootConclave({ dataKeyMaxMessages: 5 })
    const owner = await limited.as('alice')
    const id = await createConversation(owner, [])
    await Promise.all(Array.from({ length: 12 }, (_, index) => send(owner, id, `message ${index}`)))
    await owner.run(RenameConversationDocument, { conversationId: id, title: 'Renamed' })
    const perKey = await limited.database.query<{ messages: number }>(
      'select count(*)::integer as messages from messages where conversation_id = $1 group by data_key_id order by min(sequence)',
      [id]
    )
    expect(perKey.map(({ messages }) => messages)).toEqual([5, 5, 3])
    limited.services.keyring.forgetAll()
    expect((await readBack(owner, id)).map(({ status }) => status)).toEqual(Array(13).fill('READABLE'))
    await limited.close()
  })

  it('is replaced at the moment at which it has served its time', async () => {
    const aging = await bootConclave()
    const id = await createConversation(await aging.as('alice'), [])
    for (const hoursLater of [0, 23, 1]) {
      aging.clock.advance(hoursLater * 60 * 60 * 1000)
      await send(await aging.as('alice'), id, `${hoursLater} hours later`)
    }
    const [first, second, third] = await aging.database.query<{ data_key_id: string }>(
      'select data_key_id from messages where conversation_id = $1 order by sequence',
      [id]
    )
    expect(second).toEqual(first)
    expect(third).not.toEqual(second)
    await aging.close()
  })

  it('is shared by processes: what one sends the other sends and reads under the same', async () => {
    const other = await bootConclave({ databaseUrl: conclave.database.url })
    const id = await createConversation(alice, ['bob'])
    const bobElsewhere = await other.as('bob')
    for (let count = 0; count < 5; count++) {
      await send(alice, id, 'from one process')
      await send(bobElsewhere, id, 'from the other')
    }
    const keys = await conclave.database.query('select distinct data_key_id from messages where conversation_id = $1', [
      id
    ])
    expect(keys).toHaveLength(1)
    expect((await readBack(bobElsewhere, id)).map(({ status }) => status)).toEqual(Array(10).fill('READABLE'))
    await other.close()
  })
})

/** Takes the key as it is. */
async function same(key: SendingKey): Promise<SendingKey> {
  return key
}

/** As a process has them that has just started, with the opened keys of this one. */
function freshProcess(rotateIfDue: (conversationId: string) => Promise<void> = async () => {}) {
  const { services } = conclave
  return { sendingKeys: new SendingKeys({ ...services, rotateIfDue }, { maxMessages: 1000, maxAge: 'P1D' }) }
}

/** How often a statement runs from now on. */
function runs(statement: Statement): () => number {
  const run = vi.spyOn(conclave.services.database, 'run')
  return () => run.mock.calls.filter(([text]) => text === statement).length
}

function viewer(userId: string) {
  return { id: userId, name: userId, scopes: new Set<string>(), expiresAt: null }
}
