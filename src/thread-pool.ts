import { availableParallelism } from 'node:os'

/**
 * Threads of libuv's pool, and how many of them RSA may have: a pool that is full of it would hold up everything else
 * that goes there: the tokens of requests, names, files. It is first come, first served, and nothing in it can be
 * interrupted.
 */

/** Key pairs that a process generates at once: 50 ms to seconds of a core each. */
export const RSA_GENERATIONS = 2
/** Data keys that a process unwraps at once: 0.3 ms (2048 bits) to 1.5 ms (4096) of a core each. */
export const RSA_UNWRAPS = Math.max(2, availableParallelism())
/** For everything else. */
const OTHERS = 4

// libuv reads it when the pool is first used, which is later than this: main.ts imports this file before all others.
process.env.UV_THREADPOOL_SIZE ??= String(RSA_GENERATIONS + RSA_UNWRAPS + OTHERS)
