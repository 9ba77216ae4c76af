import type { Clock } from '../../src/clock.js'

/** A clock that stands still until it is moved. */
export class TestClock implements Clock {
  #now: number

  constructor(start = new Date()) {
    this.#now = start.getTime()
  }

  now(): Date {
    return new Date(this.#now)
  }

  advance(ms: number): void {
    this.#now += ms
  }
}
