import { describe, expect, it } from 'vitest'
import { AnswerOrder } from '../../../web/src/chat/answer-order.js'

describe('the order of answers', () => {
  it('does not take an answer that was overtaken by a later one about the same thing', () => {
    const order = new AnswerOrder()
    const [first, second] = [order.ask(), order.ask()]
    expect(order.take('a', second)).toBe(true)
    expect(order.take('a', first)).toBe(false)
  })

  it('takes it where the later one was about something else', () => {
    const order = new AnswerOrder()
    const [first, second] = [order.ask(), order.ask()]
    expect(order.take('a', second)).toBe(true)
    expect(order.take('b', first)).toBe(true)
  })
})
