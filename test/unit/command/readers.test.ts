import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { drained } from '../../../src/command/readers.js'

describe('the end of a command', () => {
  it('waits until a slow reader has taken all that was printed', async () => {
    const taken: string[] = []
    const slow = new Writable({
      write: (chunk, _, done) =>
        void setImmediate(() => {
          taken.push(String(chunk))
          done()
        })
    })
    for (const line of ['one', 'two', 'three']) slow.write(line)
    await drained(slow)
    expect(taken.join('')).toBe('onetwothree')
  })

  it('does not wait for a reader who has gone', async () => {
    const gone = new Writable({ write: (_chunk, _, done) => setImmediate(done, new Error('EPIPE')) })
    gone.on('error', () => {})
    for (const line of ['one', 'two']) gone.write(line)
    await drained(gone)
    await drained(gone)
    expect(gone.destroyed).toBe(true)
  })
})
