import { z } from 'zod'
import { durationMs, parseDuration } from './duration.js'

const DAY_MS = 24 * 60 * 60 * 1000

/** A variable of the environment that is a duration as ISO 8601 has it. */
export const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text)
  } catch {
    context.addIssue('must be an ISO 8601 duration of one millisecond to ten years, such as PT15S or P30D')
    return z.NEVER
  }
})

/** One that timers and caches work with, in milliseconds. */
export const milliseconds = duration.transform((value, context) => {
  try {
    const ms = durationMs(value)
    if (ms <= DAY_MS) return ms
  } catch {
    // Months and years are longer than a day as well.
  }
  context.addIssue('must not be longer than PT24H')
  return z.NEVER
})
