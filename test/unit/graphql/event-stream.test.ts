import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EventStream } from '../../../src/graphql/event-stream.js'

/** A client that has no room for a second event until the test says so. */
class FullResponse extends EventEmitter {
  readonly writableNeedDrain = true
  writeHead(): void {}
  write(): boolean {
    return false
  }
  destroy(): void {
    this.emit('close')
  }
}

let response: FullResponse
let stream: EventStream

beforeEach(() => {
  response = new FullResponse()
  stream = new EventStream(response as unknown as ServerResponse)
})
afterEach(() => response.destroy())

describe('an event for which there is no room', () => {
  it('waits for it, or for the client to go', async () => {
    const order: string[] = []
    for (const event of ['drain', 'close']) {
      const sent = stream.next({ data: null }).then(() => order.push('sent'))
      await Promise.resolve()
      order.push(event)
      response.emit(event)
      await sent
    }
    expect(order).toEqual(['drain', 'sent', 'close', 'sent'])
  })

  it('leaves nothing behind, however many of them a stream has had', async () => {
    const wait = async () => {
      const sent = stream.next({ data: null })
      response.emit('drain')
      await sent
    }
    for (let count = 0; count < 10_000; count++) await wait()
    const before = heapBytes()
    for (let count = 0; count < 100_000; count++) await wait()
    expect(heapBytes() - before).toBeLessThan(4_000_000)
    expect(response.listenerCount('drain')).toBe(1)
  })
})

/** In use, after what is garbage has gone. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
