import { Writable } from 'node:stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Listeners } from '../../../src/delivery/listeners.js'
import { createLogger } from '../../../src/log.js'

let logged: string[]
let listeners: Listeners

beforeEach(() => {
  logged = []
  const keep = new Writable({ write: (line, _, done) => done(void logged.push(String(line))) })
  listeners = new Listeners(createLogger('error', keep))
})

describe('a listener that fails', () => {
  const fail = () => {
    throw new Error('it is broken')
  }
  it.each<[string, () => void]>([
    ['a signal', () => listeners.wake('keys:a', 'payload')],
    ['any signal that may have been lost', () => listeners.wakeAll()]
  ])('to %s keeps it from nobody else, and is logged', (_, wakeThem) => {
    const wakes = [vi.fn(), vi.fn()]
    listeners.add('keys:a', fail)
    listeners.addForKeys(fail)
    listeners.add('keys:a', wakes[0] ?? fail)
    listeners.addForKeys(wakes[1] ?? fail)
    wakeThem()
    for (const wake of wakes) expect(wake).toHaveBeenCalledOnce()
    expect(logged.join()).toContain('it is broken')
  })
})
