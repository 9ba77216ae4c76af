import {
  EditMessageDocument,
  MarkReadDocument,
  RotateKeyDocument,
  SendMessageDocument,
  SetKeyPolicyDocument
} from '../../../documents/generated.js'
import { bootConclave, programEnvironment, type TestConclave } from '../boot.js'
import { createConversation, send } from '../chat.js'
import { manyConversations } from '../many-conversations.js'
import { TestClock } from '../test-clock.js'
import { runDueWork } from '../worker-run.js'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** How long the ward has used it. */
const DAYS = 150

export interface SeededHistory {
  conclave: TestConclave
  conversationId: string
  /** Of a program that goes on where this ends: on the same database, under another master key. */
  environment: Record<string, string>
}

/** Months of a conversation whose policy rotates and destroys, and many others, as they would be found today. */
export async function seedHistory(others: number): Promise<SeededHistory> {
  const clock = new TestClock(new Date(Date.now() - DAYS * DAY_MS - HOUR_MS))
  const conclave = await bootConclave({}, {}, clock)
  const as = async (userId: string, name: string) => await conclave.as(userId, { name })
  const conversationId = await createConversation(await as('alice', 'Alice'), ['bob', 'carol'], {
    title: 'Ward 3, Mrs Lang',
    keyPolicy: { rotateAfter: 'P30D', destroyAfter: 'P60D' }
  })
  for (let day = 0; day < DAYS; day++) {
    // Tokens end; each day has its own.
    if (day % 3 === 0) {
      await send(await as('alice', 'Alice'), conversationId, `Day ${day}: temperature and pulse as yesterday.`)
      await send(await as('bob', 'Bob'), conversationId, 'Seen. We stay with it.')
    }
    if (day === 100) await (await as('alice', 'Alice')).run(RotateKeyDocument, { conversationId })
    clock.advance(DAY_MS)
    await runDueWork(conclave)
  }
  await seedToday(conclave, clock, conversationId)
  await manyConversations(conclave, await as('dave', 'Dave'), others)
  return { conclave, conversationId, environment: underAnotherMasterKey(programEnvironment(conclave)) }
}

/** What is on the screen when somebody opens it. */
async function seedToday(conclave: TestConclave, clock: TestClock, conversationId: string): Promise<void> {
  const people = {
    alice: await conclave.as('alice', { name: 'Alice' }),
    bob: await conclave.as('bob', { name: 'Bob' })
  }
  const said: [who: 'alice' | 'bob', body: string, minutes: number][] = [
    ['alice', 'Mrs Lang slept well. Temperature 36.9, pulse 72, no pain when she coughs.', 1],
    ['bob', 'Good. And the wound?', 4],
    ['alice', 'Dry, edges closed. I have changed the dressing at seven.', 2],
    ['bob', 'Then we take the drain out today. Could you prepare it for half past ten?', 3],
    ['alice', 'It will be ready. Her daughter comes at eleven and would like to speak with you.', 5],
    ['bob', 'I will be there.', 1]
  ]
  let last = { id: '', sequence: 0 }
  for (const [who, body, minutes] of said) {
    const input = { conversationId, body, ...(body.startsWith('Dry') ? { replyToId: last.id } : {}) }
    last = (await people[who].run(SendMessageDocument, { input })).sendMessage.message
    if (body.startsWith('Then')) {
      await people.bob.run(EditMessageDocument, { messageId: last.id, body: body.replace('ten', 'nine') })
    }
    clock.advance(minutes * 60_000)
  }
  for (const person of Object.values(people))
    await person.run(MarkReadDocument, { conversationId, sequence: last.sequence })
  for (const [title, body] of [
    ['Night shift', 'Who takes Thursday?'],
    ['Pharmacy', 'The new stock is in.']
  ] as const) {
    const id = await createConversation(people.bob, ['alice', 'carol'], { title })
    await send(people.bob, id, body)
    await people.bob.run(SetKeyPolicyDocument, { conversationId: id, policy: { rotateAfter: 'P14D' } })
  }
}

function underAnotherMasterKey(environment: Record<string, string>): Record<string, string> {
  return {
    ...environment,
    MASTER_KEY: 'local:next',
    MASTER_KEYS_RETIRING: 'local:test',
    MASTER_SECRETS: `${environment.MASTER_SECRETS},next=${Buffer.alloc(32, 9).toString('base64')}`
  }
}
