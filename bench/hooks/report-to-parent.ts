import { answerCalls } from '../answer-calls.js'

/** Imported before the program itself: it ends with the benchmark, and tells how much memory it takes. */
answerCalls({
  residentBytes: () => {
    globalThis.gc?.()
    return process.memoryUsage.rss()
  }
})
