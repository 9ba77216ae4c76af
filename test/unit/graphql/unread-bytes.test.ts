import { beforeEach, describe, expect, it } from 'vitest'
import { type Channel, UnreadBytes } from '../../../src/graphql/unread-bytes.js'

const refused = { code: 'RATE_LIMITED', details: { retryAfterMs: 1_000 } }

/** A client that reads when a test says so. */
class Client implements Channel {
  unreadBytes = 0
  isCut = false

  cut(): void {
    this.isCut = true
    this.unreadBytes = 0
  }
}

let unread: UnreadBytes
let one: Client
let other: Client

beforeEach(() => {
  unread = new UnreadBytes(100, 200)
  one = new Client()
  other = new Client()
})

function answer(userId: string, client: Client, bytes: number): void {
  unread.makeRoom(userId, client)
  client.unreadBytes += bytes
}

describe('a user', () => {
  it('who has not read much of what was asked for gets nothing more, until it is read', () => {
    answer('alice', one, 60)
    answer('alice', other, 40)
    unread.requireRead('alice')
    answer('alice', other, 1)
    expect(() => unread.requireRead('alice')).toThrow(expect.objectContaining(refused))
    unread.requireRead('bob')
    one.unreadBytes = 59
    unread.requireRead('alice')
  })

  it('whose answers are more than is kept for them loses where most waits, and keeps the rest', () => {
    answer('alice', one, 150)
    answer('alice', other, 51)
    answer('bob', new Client(), 150)
    unread.makeRoom('alice', other)
    expect([one.isCut, other.isCut]).toEqual([true, false])
    expect(() => unread.requireRead('bob')).toThrow()
    unread.requireRead('alice')
  })

  it('may have one answer that is larger than all that is kept', () => {
    answer('alice', one, 1_000)
    expect(one.isCut).toBe(false)
    answer('alice', other, 1)
    expect([one.isCut, other.isCut]).toEqual([true, false])
  })

  it('is held to what a client has that was read empty in between', () => {
    answer('alice', one, 101)
    one.unreadBytes = 0
    unread.requireRead('alice')
    answer('alice', one, 101)
    expect(() => unread.requireRead('alice')).toThrow()
    unread.forget('alice', one)
    unread.requireRead('alice')
  })
})
