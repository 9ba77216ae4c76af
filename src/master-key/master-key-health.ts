import type { MasterKey } from './master-key.js'
import { MasterKeyError, type MasterKeyErrorKind } from './master-key-error.js'
import type { MasterKeys } from './master-keys.js'

export interface MasterKeyState {
  uri: string
  current: boolean
  /** Null: it works. For operators: the kind, and a sentence without anything secret. */
  problem: { kind: MasterKeyErrorKind; reason: string } | null
}

type Problem = MasterKeyState['problem']

/** A check costs a service two requests or three, and a load balancer asks every second. */
const FRESH_MS = 5000
/** Kubernetes waits a second for the answer of a probe. */
const PATIENCE_MS = 700

interface Look {
  atMs: number
  result: Promise<Problem>
  /** Of this look or, while it lasts, of the one before. */
  latest: Problem
}

/** Whether master keys can be used: looked at when somebody asks, and answered in bounded time. */
export class MasterKeyHealth {
  readonly #masterKeys: MasterKeys
  readonly #looks = new Map<string, Look>()

  constructor(masterKeys: MasterKeys) {
    this.#masterKeys = masterKeys
  }

  /**
   * Of all master keys that this process was given.
   *
   * @param patienceMs after which one that has not answered stands as it was found before
   */
  async states(patienceMs = PATIENCE_MS): Promise<MasterKeyState[]> {
    return await Promise.all(
      this.#masterKeys.all.map(async (key) => ({
        uri: key.uri,
        current: key === this.#masterKeys.current,
        problem: await this.#problemOf(key, patienceMs)
      }))
    )
  }

  async #problemOf(key: MasterKey, patienceMs: number): Promise<Problem> {
    const look = this.#lookAt(key)
    const { promise: patience, resolve } = Promise.withResolvers<Problem>()
    const timer = setTimeout(() => resolve(look.latest), patienceMs)
    try {
      return await Promise.race([look.result, patience])
    } finally {
      clearTimeout(timer)
    }
  }

  #lookAt(key: MasterKey): Look {
    const before = this.#looks.get(key.uri)
    if (before && performance.now() - before.atMs < FRESH_MS) return before
    const slow: Problem = { kind: 'UNREACHABLE', reason: `master key ${key.uri}: slow to answer` }
    const result = problemIn(key.check())
    const look: Look = { atMs: performance.now(), result, latest: before ? before.latest : slow }
    void result.then((problem) => {
      look.latest = problem
    })
    this.#looks.set(key.uri, look)
    return look
  }
}

/** @returns null when the check passes */
async function problemIn(check: Promise<void>): Promise<Problem> {
  try {
    await check
    return null
  } catch (error) {
    if (error instanceof MasterKeyError) return { kind: error.kind, reason: error.message }
    return { kind: 'UNREACHABLE', reason: 'the check itself failed' }
  }
}
