/** Where the time comes from: the system's in production, a movable one in tests. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }
