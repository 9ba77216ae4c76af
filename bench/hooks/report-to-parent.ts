import { answerCalls } from '../answer-calls.js'

export interface MemoryInUse {
  residentBytes: number
  /** Of JavaScript objects, and of the buffers that they hold. */
  heapBytes: number
  externalBytes: number
}

/** Imported before the program itself: it ends with the benchmark, and tells how much memory it takes. */
answerCalls({
  /** After a collection, where Node runs with `--expose-gc`. */
  memoryInUse: (): MemoryInUse => {
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { residentBytes: rss, heapBytes: heapUsed, externalBytes: external }
  }
})
