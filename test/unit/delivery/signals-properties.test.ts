import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseActivity, signalActivity } from '../../../src/delivery/activity.js'
import { Listeners } from '../../../src/delivery/listeners.js'
import { formatSignal, parseSignal, type Signal, type Topic } from '../../../src/delivery/signals.js'
import { isUserId } from '../../../src/identity/user-id.js'
import { createLogger } from '../../../src/log.js'
import { anyText, check, cpuMs, textDamages } from '../../support/properties.js'
import { QuietSignals } from '../../support/quiet-signals.js'

const CONVERSATION = '01234567-89ab-4cde-8f01-23456789abcd'
const userId = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter(isUserId)
const topic = fc.oneof(
  userId.map((id) => `user:${id}` as Topic),
  fc
    .tuple(fc.constantFrom('conversation', 'activity', 'keys', 'operation'), fc.uuid())
    .map((parts) => parts.join(':') as Topic)
)
const activity = fc.oneof(
  fc.record({ kind: fc.constant('TYPING' as const), userId, typing: fc.boolean() }),
  fc.record({ kind: fc.constant('READ' as const), userId, sequence: fc.nat(2 ** 31 - 1) })
)
const payload = fc.oneof(
  activity.map((of) => JSON.stringify(of)),
  anyText()
)
const signal: fc.Arbitrary<Signal> = fc.oneof(
  topic.map((of) => ({ topic: of })),
  fc.record({ topic, payload })
)

describe('a signal', () => {
  it('gives back topic and payload, and no other signal has the same text', () => {
    check(
      fc.property(signal, signal, (one, other) => {
        expect(parseSignal(formatSignal(one))).toEqual(one)
        expect(formatSignal(one) === formatSignal(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      })
    )
  })

  it('of any text is read, and wakes those who listen to its topic and nobody else', () => {
    const conversation: Topic = `conversation:${CONVERSATION}`
    check(
      fc.property(fc.oneof(anyText(), fc.constantFrom('keys:', 'keys:*', '\n', conversation)), (text) => {
        const woken: (string | undefined)[] = []
        const listeners = new Listeners(createLogger('silent'))
        listeners.add(conversation, (given) => woken.push(given))
        const read = parseSignal(text)
        listeners.wake(read.topic, read.payload)
        expect(formatSignal(read)).toBe(text)
        expect(woken).toEqual(read.topic === conversation ? [read.payload] : [])
      })
    )
  })
})

describe('what somebody does', () => {
  it('is what was signalled', () => {
    check(
      fc.property(activity, (of) => {
        expect(parseActivity(signalled(of))).toEqual(of)
      })
    )
  })

  it('is nothing, or something that a member may do, whatever was signalled', () => {
    const nearly = fc.tuple(activity, textDamages).map(([of, spoil]) => spoil(JSON.stringify(of)))
    const shaped = fc
      .record(
        {
          kind: fc.constantFrom('TYPING', 'READ', 'typing', '__proto__'),
          userId: fc.oneof(userId, anyText(), fc.jsonValue(), fc.constantFrom('scheduler', 'operator:root')),
          typing: fc.oneof(fc.boolean(), fc.jsonValue()),
          sequence: fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-1, 2 ** 31, 1.5))
        },
        { requiredKeys: [] }
      )
      .map((of) => JSON.stringify(of))
    check(
      fc.property(fc.oneof(nearly, shaped, anyText(), fc.json()), (text) => {
        const of = parseActivity(text)
        if (!of) return
        expect(isUserId(of.userId)).toBe(true)
        if (of.kind === 'TYPING') expect(typeof of.typing).toBe('boolean')
        else expect(Number.isInteger(of.sequence) && of.sequence >= 0 && of.sequence < 2 ** 31).toBe(true)
      }),
      2000
    )
  })

  it('is looked at in time that grows with the length of a signal and not faster', () => {
    for (const unit of ['[', '{"a":', '"', '\n', '1', ' ']) {
      const long = unit.repeat(300_000)
      expect(cpuMs(() => [parseActivity(long), parseSignal(long)])).toBeLessThan(5000)
    }
  })
})

function signalled(of: Parameters<typeof signalActivity>[2]): string {
  let heard = ''
  const publish = (_: Topic, given = '') => {
    heard = given
  }
  signalActivity({ signals: Object.assign(new QuietSignals(), { publish }) }, CONVERSATION, of)
  return heard
}
