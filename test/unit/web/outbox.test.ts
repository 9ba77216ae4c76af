import { ServerError } from '@apollo/client/errors'
import { describe, expect, it } from 'vitest'
import {
  changeLog,
  emptyLog,
  type LogAction,
  type Message,
  type Pending,
  shownPending
} from '../../../web/src/chat/conversation-log.js'
import { Outbox } from '../../../web/src/chat/outbox.js'

describe('an outbox', () => {
  it('sends the next message after the answer to the one before', async () => {
    const { outbox, sent, answer } = opened()
    outbox.post(pending('one'))
    outbox.post(pending('two'))
    await settled()
    expect(sent).toEqual(['one'])
    answer('one')
    await settled()
    expect(sent).toEqual(['one', 'two'])
  })

  it('goes on after a refusal, and keeps what was refused until it is sent again', async () => {
    const { outbox, sent, answer, refuse } = opened()
    outbox.post(pending('one'))
    outbox.post(pending('two'))
    await settled()
    refuse('one')
    await settled()
    answer('two')
    await settled()
    const [kept] = logOf(outbox).pending
    expect(kept).toMatchObject({ body: 'one', refusal: 'The server cannot be reached.' })
    outbox.post(kept as Pending)
    await settled()
    expect(sent).toEqual(['one', 'two', 'one'])
  })

  it('tells a view that was opened meanwhile what is on its way, and then that it was stored', async () => {
    const { outbox, answer } = opened()
    outbox.post(pending('one'))
    await settled()
    const actions: LogAction[] = []
    const end = outbox.watch((action) => actions.push(action))
    answer('one')
    await settled()
    expect(actions.map(({ type }) => type)).toEqual(['SENDING', 'SENT'])
    expect(actions.reduce(changeLog, emptyLog)).toMatchObject({ pending: [], messages: [{ body: 'one' }] })
    end()
    expect(logOf(outbox).pending).toEqual([])
  })

  it('keeps what only another token can send, and does not call it refused', async () => {
    const { outbox, runOut } = opened()
    outbox.post(pending('one'))
    await settled()
    runOut('one')
    await settled()
    expect(outbox.unsent()).toEqual([pending('one')])
  })

  it('sends what another session left, and keeps what was refused there', async () => {
    const { outbox, sent } = opened()
    const refused = { ...pending('one'), refusal: 'Not a member.' }
    outbox.takeOver([refused, pending('two')])
    await settled()
    expect(sent).toEqual(['two'])
    expect(logOf(outbox).pending).toEqual([refused, pending('two')])
  })

  it('does not send what was discarded while it waited, and gives up what was on its way', async () => {
    const { outbox, sent, signals, refuse } = opened()
    const [one, two] = [pending('one'), pending('two')]
    outbox.post(one)
    outbox.post(two)
    await settled()
    outbox.drop(two)
    outbox.drop(one)
    expect(signals[0]?.aborted).toBe(true)
    refuse('one')
    await settled()
    expect(sent).toEqual(['one'])
    expect(logOf(outbox).pending).toEqual([])
  })
})

describe('what is shown as on its way', () => {
  it('is not what an event has brought already, each once', () => {
    const log = {
      ...emptyLog,
      messages: [message('same', 5, 'alice'), message('same', 6, 'bob')],
      pending: [{ ...pending('same'), clientMessageId: 'again' }, pending('same')]
    }
    expect(shownPending(log, 'alice').map(({ clientMessageId }) => clientMessageId)).toEqual(['again'])
  })

  it('is what another one has stored under the same id', () => {
    const log = { ...emptyLog, messages: [message('yes', 5, 'bob')], pending: [pending('yes')] }
    expect(shownPending(log, 'alice')).toHaveLength(1)
  })

  it('is not what was stored before it was refused, nor what was edited since', () => {
    const stored = { ...message('yes', 5, 'alice'), body: 'no' }
    const refused = { ...pending('yes'), refusal: 'Not a member.' }
    expect(shownPending({ ...emptyLog, messages: [stored], pending: [refused] }, 'alice')).toEqual([])
  })

  it('is also what was refused, whatever has the same text', () => {
    const refused = { ...pending('yes'), clientMessageId: 'again', refusal: 'Not a member.' }
    const log = { ...emptyLog, messages: [message('yes', 5, 'alice')], pending: [refused] }
    expect(shownPending(log, 'alice')).toEqual([refused])
  })

  it('is what has the text of a message that was stored meanwhile', () => {
    const sending = { ...pending('yes'), clientMessageId: 'again' }
    const log = { ...emptyLog, messages: [message('yes', 5, 'alice')], pending: [sending] }
    expect(shownPending(log, 'alice')).toHaveLength(1)
  })
})

describe('the log of a conversation', () => {
  it('has a message once, in its newest state, in the order of sequences', () => {
    const first = changeLog(emptyLog, { type: 'OPENED', messages: [message('b', 2), message('c', 3)], before: 'x' })
    const older = changeLog(first, { type: 'OLDER', messages: [message('a', 1)], before: null })
    const edited = changeLog(older, { type: 'CHANGED', message: { ...message('b', 2), body: 'B' } })
    expect(edited.messages.map(({ body }) => body)).toEqual(['a', 'B', 'c'])
  })

  it('shows a message of a page that was not looked at with that page, and not before', () => {
    const log = changeLog(emptyLog, { type: 'OPENED', messages: [message('b', 2)], before: 'x' })
    const told = changeLog(log, { type: 'CHANGED', message: message('a', 1) })
    expect(told.messages.map(({ body }) => body)).toEqual(['b'])
  })

  it.each([
    ['is older than the event', null, 'edited'],
    ['is newer than the event', '2026-01-01T00:00:02.000Z', 'read']
  ])('takes the newer state of a message whose page %s', (_name, editedAt, shown) => {
    const actions: LogAction[] = [
      { type: 'OPENED', messages: [message('b', 2)], before: 'x' },
      { type: 'CHANGED', message: { ...message('edited', 1), editedAt: '2026-01-01T00:00:01.000Z' } },
      { type: 'OLDER', messages: [{ ...message('read', 1), editedAt }], before: null }
    ]
    const { messages, ahead } = actions.reduce(changeLog, emptyLog)
    expect(messages.map(({ body }) => body)).toEqual([shown, 'b'])
    expect(ahead).toEqual([])
  })

  it('keeps what was deleted while its page was read', () => {
    const deletedAt = '2026-01-01T00:00:01.000Z'
    const actions: LogAction[] = [
      { type: 'OPENED', messages: [message('b', 2)], before: 'x' },
      { type: 'CHANGED', message: { ...message('', 1), deletedAt } },
      { type: 'OLDER', messages: [message('a', 1)], before: null }
    ]
    expect(actions.reduce(changeLog, emptyLog).messages[0]).toMatchObject({ deletedAt })
  })
})

function opened() {
  const sent: string[] = []
  const signals: AbortSignal[] = []
  const answers = new Map<string, PromiseWithResolvers<Message>>()
  const outbox = new Outbox(async ({ body }, signal) => {
    sent.push(body)
    signals.push(signal)
    const answer = Promise.withResolvers<Message>()
    answers.set(body, answer)
    return await answer.promise
  })
  return {
    outbox,
    sent,
    signals,
    answer: (body: string) => answers.get(body)?.resolve(message(body, 1)),
    runOut: (body: string) =>
      answers.get(body)?.reject(new ServerError('no', { response: new Response(null, { status: 401 }), bodyText: '' })),
    refuse: (body: string) => answers.get(body)?.reject(new TypeError('Failed to fetch'))
  }
}

/** As a view that is opened now has it. */
function logOf(outbox: Outbox) {
  let log = emptyLog
  outbox.watch((action) => {
    log = changeLog(log, action)
  })()
  return log
}

function pending(body: string): Pending {
  return { clientMessageId: `id of ${body}`, body, replyToId: null, refusal: null }
}

function message(body: string, sequence: number, sender = 'alice'): Message {
  const state = { clientMessageId: `id of ${body}`, editedAt: null, deletedAt: null }
  return { id: `${sequence}`, body, sequence, sender: { id: sender, name: sender }, ...state } as Message
}

/** Every promise that was settled has been acted upon. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
