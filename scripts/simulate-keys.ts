import { LRUCache } from 'lru-cache'
import { loadConfig } from '../src/config.js'
import { PRIVATE_KEYS_MAX } from '../src/conversation-key/keyring.js'
import { durationMs } from '../src/duration.js'

/**
 * `node dist/scripts/simulate-keys.js` prints what keys cost a large deployment, as docs/scaling.md has it: calls to the
 * key service, RSA operations, key pairs. The caches are those of the keyring, with its limits and its clock replaced.
 *
 * It is a miniature: some of the conversations with as much less traffic, and caches as much smaller, which has the
 * hit ratio of the whole (Waldspurger et al., Cache Modeling and Optimization using Miniature Simulations, 2017).
 */

export interface Deployment {
  /** All that are stored, idle ones included. */
  conversations: number
  /** Those with any messages at present. Which of them is how busy is lognormal. */
  used: number
  createdPerDay: number
  messagesPerSecond: number
  /** That serve the API. */
  processes: number
  /** Processes at which some member of a conversation listens, at a time. */
  listening: number
  /** Whether all sends of a conversation go to one process, where it is listened to; or each to any. */
  sticky: boolean
  dataKeyCacheTtlMs: number
  /** Of each process. */
  dataKeyCacheMax: number
  privateKeysMax: number
  dataKeyMaxMessages: number
  dataKeyMaxAgeMs: number
  rotateAfterMs: number
}

export interface KeyCosts {
  /** Private keys that were unwrapped with the master key: calls of `Decrypt`. */
  unwrapsPerSecond: number
  /** The same, of each process. */
  unwrapsPerSecondAndProcess: number
  /** Data keys that were opened with a private key. */
  rsaUnwrapsPerSecond: number
  /** Of the times that a data key was wanted. */
  hitRatio: number
  rotationsPerDay: number
  /** RSA pairs for rotations and new conversations; each is wrapped with one call of `Encrypt`. */
  keyPairsPerSecond: number
  dataKeysPerDay: number
  /** Private keys that there are after a year from now, where none is destroyed: as many has a rewrap to move. */
  privateKeysInAYear: number
}

const DAY_MS = 24 * 60 * 60 * 1000
/** Spread of the logarithm of how busy a conversation is: the busiest hundredth has more than a third of the messages. */
const SPREAD = 2

/** What the configuration makes of an empty environment. */
export function defaultLimits(): Pick<
  Deployment,
  | 'dataKeyCacheTtlMs'
  | 'dataKeyCacheMax'
  | 'privateKeysMax'
  | 'dataKeyMaxMessages'
  | 'dataKeyMaxAgeMs'
  | 'rotateAfterMs'
> {
  const config = loadConfig({})
  if (!config.keyPolicy.rotateAfter) throw new Error('keys rotate by default')
  return {
    dataKeyCacheTtlMs: config.dataKeyCacheTtlMs,
    dataKeyCacheMax: config.dataKeyCacheMax,
    privateKeysMax: PRIVATE_KEYS_MAX,
    dataKeyMaxMessages: config.dataKeyMaxMessages,
    dataKeyMaxAgeMs: durationMs(config.dataKeyMaxAge),
    rotateAfterMs: durationMs(config.keyPolicy.rotateAfter)
  }
}

/**
 * @param sample conversations to simulate
 * @param random from 0 to 1
 */
export function simulateKeys(deployment: Deployment, sample: number, random: () => number): KeyCosts {
  const size = Math.min(sample, deployment.used)
  const scale = deployment.used / size
  const ratesPerMs = busyness(size).map((share) => (share * deployment.messagesPerSecond) / scale / 1000)
  const sum = (of: (ratePerMs: number) => number) => scale * ratesPerMs.reduce((total, rate) => total + of(rate), 0)
  const rotationsPerDay = sum((rate) => DAY_MS / keyLifeMs(rate, deployment))
  return {
    ...simulateCaches(deployment, ratesPerMs, scale, random),
    rotationsPerDay,
    keyPairsPerSecond: (rotationsPerDay + deployment.createdPerDay) / (DAY_MS / 1000),
    dataKeysPerDay: sum((rate) => DAY_MS / dataKeyLifeMs(rate, deployment)),
    privateKeysInAYear: deployment.conversations + 365 * (rotationsPerDay + deployment.createdPerDay)
  }
}

/** Shares of all messages, one for each conversation: lognormal, by Box and Muller from points that are evenly spread. */
function busyness(size: number): number[] {
  const golden = (Math.sqrt(5) - 1) / 2
  const weights = Array.from({ length: size }, (_, n) => {
    const normal = Math.sqrt(-2 * Math.log((n + 0.5) / size)) * Math.cos(2 * Math.PI * ((n * golden) % 1))
    return Math.exp(SPREAD * normal)
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/** A key is due once its time is over and it was used: at the latest of the two. */
function keyLifeMs(ratePerMs: number, { rotateAfterMs }: Deployment): number {
  return rotateAfterMs + Math.exp(-ratePerMs * rotateAfterMs) / ratePerMs
}

/** Full or too old, a data key is followed by the next when the next message is sent. */
function dataKeyLifeMs(ratePerMs: number, { dataKeyMaxMessages, dataKeyMaxAgeMs }: Deployment): number {
  return Math.min(dataKeyMaxAgeMs, dataKeyMaxMessages / ratePerMs) + 1 / ratePerMs
}

/** The keyring of a process, as far as it counts. */
class ProcessKeys {
  readonly #dataKeys: LRUCache<number, true>
  readonly #privateKeys: LRUCache<number, true>
  wanted = 0
  rsaUnwraps = 0
  unwraps = 0

  constructor({ dataKeyCacheTtlMs, ...limits }: Deployment, scale: number, now: () => number) {
    const cache = (max: number) =>
      new LRUCache<number, true>({
        max: Math.max(1, Math.round(max / scale)),
        ttl: dataKeyCacheTtlMs,
        ttlResolution: 0,
        perf: { now }
      })
    this.#dataKeys = cache(limits.dataKeyCacheMax)
    this.#privateKeys = cache(limits.privateKeysMax)
  }

  remember(dataKey: number): void {
    this.#dataKeys.set(dataKey, true)
  }

  open(conversation: number, dataKey: number): void {
    this.wanted++
    if (this.#dataKeys.get(dataKey)) return
    this.rsaUnwraps++
    this.#dataKeys.set(dataKey, true)
    if (this.#privateKeys.get(conversation)) return
    this.unwraps++
    this.#privateKeys.set(conversation, true)
  }
}

interface ActiveDataKey {
  id: number
  uses: number
  expiresAt: number
}

/** Lets messages come at random for as long as it takes to fill the caches, and then counts for as long again, twice. */
function simulateCaches(deployment: Deployment, ratesPerMs: number[], scale: number, random: () => number) {
  let now = 1
  const processes = Array.from({ length: deployment.processes }, () => new ProcessKeys(deployment, scale, () => now))
  const total = ratesPerMs.reduce((sum, rate) => sum + rate, 0)
  const pick = pickerOf(ratesPerMs, random)
  const active = new Map<number, ActiveDataKey>()
  const warmUntil = deployment.dataKeyCacheTtlMs * 1.5
  const until = warmUntil + deployment.dataKeyCacheTtlMs * 2
  let dataKeys = 0
  let isWarm = false
  while (now < until) {
    now += -Math.log(1 - random()) / total
    if (!isWarm && now > warmUntil) {
      isWarm = true
      for (const keys of processes) Object.assign(keys, { wanted: 0, rsaUnwraps: 0, unwraps: 0 })
    }
    const conversation = pick()
    const at = placesOf(conversation, deployment, random)
    let key = active.get(conversation)
    // In the middle of its life when it is seen for the first time.
    key ??= { id: ++dataKeys, uses: 0, expiresAt: now + random() * deployment.dataKeyMaxAgeMs }
    if (now >= key.expiresAt || key.uses >= deployment.dataKeyMaxMessages) {
      key = { id: ++dataKeys, uses: 0, expiresAt: now + deployment.dataKeyMaxAgeMs }
      processes[at.sender]?.remember(key.id)
    }
    key.uses++
    active.set(conversation, key)
    for (const place of new Set([at.sender, ...at.listeners])) processes[place]?.open(conversation, key.id)
  }
  const seconds = (until - warmUntil) / 1000
  const count = (of: (keys: ProcessKeys) => number) => processes.reduce((sum, keys) => sum + of(keys), 0)
  const unwrapsPerSecond = (count(({ unwraps }) => unwraps) / seconds) * scale
  return {
    unwrapsPerSecond,
    unwrapsPerSecondAndProcess: unwrapsPerSecond / deployment.processes,
    rsaUnwrapsPerSecond: (count(({ rsaUnwraps }) => rsaUnwraps) / seconds) * scale,
    hitRatio: 1 - count(({ rsaUnwraps }) => rsaUnwraps) / count(({ wanted }) => wanted)
  }
}

/** Members keep their sockets: a conversation is listened to at the same processes all the time. */
function placesOf(conversation: number, { processes, listening, sticky }: Deployment, random: () => number) {
  const first = conversation % processes
  const listeners = Array.from({ length: Math.min(listening, processes) }, (_, n) => (first + n) % processes)
  return { sender: sticky ? first : Math.floor(random() * processes), listeners }
}

/** Draws an index as often as its weight says. */
function pickerOf(weights: number[], random: () => number): () => number {
  let sum = 0
  const sums = weights.map((weight) => (sum += weight))
  return () => {
    const wanted = random() * sum
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) <= wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The worked example of docs/scaling.md. */
export function workedExample(): Deployment {
  return {
    conversations: 100_000_000,
    used: 30_000_000,
    createdPerDay: 300_000,
    messagesPerSecond: 50_000,
    processes: 100,
    listening: 2,
    sticky: false,
    ...defaultLimits()
  }
}

const SAMPLE = 30_000

function printExamples(): void {
  const example = workedExample()
  const cases: Record<string, Partial<Deployment>> = {
    'as it is': {},
    'ten times as many idle': { conversations: 730_000_000 },
    'a tenth of it used': { used: 3_000_000 },
    '200 processes': { processes: 200 },
    'cache of 100,000': { dataKeyCacheMax: 100_000 },
    '300,000 for an hour': { dataKeyCacheMax: 300_000, dataKeyCacheTtlMs: 3_600_000 },
    '100,000, sends to one': { dataKeyCacheMax: 100_000, sticky: true },
    '300,000, hour, sends to one': { dataKeyCacheMax: 300_000, dataKeyCacheTtlMs: 3_600_000, sticky: true },
    'a twelfth': {
      conversations: 8_000_000,
      used: 2_500_000,
      createdPerDay: 25_000,
      messagesPerSecond: 4200,
      processes: 8
    },
    'a thousandth': { conversations: 100_000, used: 30_000, createdPerDay: 300, messagesPerSecond: 50, processes: 2 }
  }
  const rows = Object.entries(cases).map(([name, change]) => {
    const costs = simulateKeys({ ...example, ...change }, SAMPLE, Math.random)
    return [name, Object.fromEntries(Object.entries(costs).map(([key, value]) => [key, Number(value.toPrecision(3))]))]
  })
  console.table(Object.fromEntries(rows))
}

if (import.meta.main) printExamples()
