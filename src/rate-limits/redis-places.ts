import type { LimitsRedis } from './limits-redis.js'

/** After so long without its process a place is free: one that was killed gives nothing back. */
export const LEASE_MS = 60_000
/** Renewed so often within it: two may fail. */
export const RENEWALS = 3
/** At most so many at a time, so that a process with many does not have others wait for their limits. */
const USERS_AT_ONCE = 100
const PLACES_AT_ONCE = 1_000

/** By the clock of Redis: that of a process may be another. */
const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000`

const TAKE = `${NOW}
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1`

/** Also those that Redis has lost, or has never heard of: they are taken. */
const RENEW = `${NOW}
  for index = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[index]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 1`

const GIVE_BACK = `return redis.call('ZREM', KEYS[1], ARGV[1])`

type Script = ReturnType<LimitsRedis['script']>

/**
 * Places of users, counted by all processes together: a sorted set for each user, with the places and how long each is
 * leased. A process renews those that it has.
 */
export class RedisPlaces {
  readonly #take: Script
  readonly #renewing: Script
  readonly #giveBack: Script
  /** What this process has taken, by user. */
  readonly #taken = new Map<string, Set<string>>()
  readonly #timer: NodeJS.Timeout
  #isRenewing = false
  #renewsAgain = false

  constructor(redis: LimitsRedis) {
    this.#take = redis.script('takePlace', TAKE)
    this.#renewing = redis.script('renewPlaces', RENEW)
    this.#giveBack = redis.script('giveBackPlace', GIVE_BACK)
    this.#timer = setInterval(() => void this.#renew(), LEASE_MS / RENEWALS).unref()
    // What was taken while it was away is not known to the others.
    redis.onConnected(() => {
      this.#renewsAgain = this.#isRenewing
      void this.#renew()
    })
  }

  /** @returns false when the user has `max` of them. While Redis is away nobody can say, and it is true */
  async take(user: string, place: string, max: number): Promise<boolean> {
    if ((await this.#take(keyOf(user), place, max, LEASE_MS)) === 0) return false
    const places = this.#taken.get(user)
    if (places) places.add(place)
    else this.#taken.set(user, new Set([place]))
    return true
  }

  giveBack(user: string, place: string): void {
    const places = this.#taken.get(user)
    places?.delete(place)
    if (places?.size === 0) this.#taken.delete(user)
    // One that is lost ends with its lease.
    void this.#giveBack(keyOf(user), place)
  }

  /** What is still taken stays so until its lease ends. */
  close(): void {
    clearInterval(this.#timer)
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing) return
    this.#isRenewing = true
    let underWay: Promise<void>[] = []
    for (const [user, places] of this.#taken) {
      for (const some of inPortions([...places])) underWay.push(this.#renewSome(user, some))
      if (underWay.length < USERS_AT_ONCE) continue
      await Promise.all(underWay)
      underWay = []
    }
    await Promise.all(underWay)
    this.#isRenewing = false
    if (!this.#renewsAgain) return
    this.#renewsAgain = false
    await this.#renew()
  }

  async #renewSome(user: string, places: string[]): Promise<void> {
    await this.#renewing(keyOf(user), LEASE_MS, ...places)
    // A script that Redis does not know any more is sent again, behind what was given back meanwhile.
    const kept = this.#taken.get(user)
    for (const place of places) if (!kept?.has(place)) void this.#giveBack(keyOf(user), place)
  }
}

const keyOf = (user: string) => `conclave:places:${user}`

function* inPortions(places: string[]): Iterable<string[]> {
  for (let from = 0; from < places.length; from += PLACES_AT_ONCE) yield places.slice(from, from + PLACES_AT_ONCE)
}
