import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IPolicy,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap
} from 'cockatiel'
import type { Logger } from '../log.js'
import type { CallOptions, MasterKey, PrivateKeyToWrap, Rewrap, WrappedPrivateKey, Wrapping } from './master-key.js'
import { isUnreachable, MasterKeyError } from './master-key-error.js'

/** Calls at once, and calls that wait for their turn; what comes on top is turned away at once. */
const AT_ONCE = 32
const WAITING = 64
const BACKGROUND_AT_ONCE = 4
/** A rewrap's batch may wait long for its turn at a bounded rate; each of its requests has a limit of its own. */
const BACKGROUND_TIMEOUT_MS = 5 * 60_000
/** So many calls in a row without an answer are an outage. */
const FAILURES = 5

export interface GuardLimits {
  /** For one call, from the moment it has its turn. */
  timeoutMs: number
  /** In an outage one call in so long tries whether it is over; the others are answered at once. */
  retryAfterMs: number
}

/**
 * A master key of a service that may be down: every call has a time limit, an outage is noticed and answered at once
 * from then on, waiting calls do not pile up, and it heals by itself. Only UNREACHABLE counts as a failure: a
 * refusal or a damaged key is an answer.
 */
export class GuardedMasterKey implements MasterKey {
  readonly uri: string
  readonly #key: MasterKey
  readonly #breaker
  readonly #requests: IPolicy
  readonly #background: IPolicy

  constructor(key: MasterKey, { timeoutMs, retryAfterMs }: GuardLimits, log: Logger) {
    this.uri = key.uri
    this.#key = key
    this.#breaker = circuitBreaker(
      handleWhen((error) => isUnreachable(error) || error instanceof TaskCancelledError),
      { halfOpenAfter: retryAfterMs, breaker: new ConsecutiveBreaker(FAILURES) }
    )
    this.#breaker.onBreak(() => log.warn({ masterKey: this.uri }, 'master key is out of reach: calls fail at once'))
    this.#breaker.onReset(() => log.info({ masterKey: this.uri }, 'master key is in reach again'))
    // The time limit is innermost: to the breaker a call without an answer in time is one more failure.
    this.#requests = wrap(bulkhead(AT_ONCE, WAITING), this.#breaker, timeout(timeoutMs, TimeoutStrategy.Aggressive))
    this.#background = wrap(
      bulkhead(BACKGROUND_AT_ONCE, WAITING),
      this.#breaker,
      timeout(BACKGROUND_TIMEOUT_MS, TimeoutStrategy.Aggressive)
    )
  }

  async version(): Promise<string | null> {
    return await this.#call({}, async () => await this.#key.version())
  }

  async wrap(keys: readonly PrivateKeyToWrap[], options: CallOptions = {}): Promise<Wrapping[]> {
    return await this.#call(options, async (guarded) => await this.#key.wrap(keys, guarded))
  }

  async unwrap(keys: readonly WrappedPrivateKey[], options: CallOptions = {}): Promise<(Buffer | MasterKeyError)[]> {
    return await this.#call(options, async (guarded) => await this.#key.unwrap(keys, guarded))
  }

  async rewrapFrom(from: MasterKey): Promise<Rewrap | null> {
    const rewrap = await this.#call({}, async () => await this.#key.rewrapFrom(from))
    if (rewrap === null) return null
    return async (keys, options = {}) => await this.#call(options, async (guarded) => await rewrap(keys, guarded))
  }

  async check(): Promise<void> {
    await this.#call({}, async () => await this.#key.check())
  }

  async close(): Promise<void> {
    await this.#key.close()
  }

  async #call<R>(options: CallOptions, run: (options: CallOptions) => Promise<R>): Promise<R> {
    // Left to itself, the breaker would have everybody wait for the one that tries.
    if (this.#breaker.state === CircuitState.HalfOpen) throw this.#outage()
    // A long call must not be the one that tries: everybody else would be turned away for as long as it takes.
    if (options.background && this.#breaker.state !== CircuitState.Closed) await this.version()
    const policy = options.background ? this.#background : this.#requests
    try {
      return await policy.execute(({ signal }) => run({ ...options, signal }), options.signal)
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw this.#outage()
      if (error instanceof BulkheadRejectedError) throw this.#unreachable('too many calls wait for it')
      if (error instanceof TaskCancelledError) throw this.#unreachable('no answer in time')
      throw error
    }
  }

  #outage(): MasterKeyError {
    return this.#unreachable('did not answer lately; it is tried again every few seconds')
  }

  #unreachable(reason: string): MasterKeyError {
    return new MasterKeyError('UNREACHABLE', this.uri, reason)
  }
}

/** How long an outage lasts at least, once it was noticed. */
const RETRY_AFTER_MS = 2000

/** @param timeoutMs for one request to the service; a call may take two, when it has to log in first */
export function guarded(key: MasterKey, timeoutMs: number, log: Logger): MasterKey {
  return new GuardedMasterKey(key, { timeoutMs: timeoutMs * 2, retryAfterMs: RETRY_AFTER_MS }, log)
}
