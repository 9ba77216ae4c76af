export type Check = 'configuration' | 'database' | 'migrations' | 'logins' | 'redis' | 'master key' | 'keys' | 'clock'

/** WARNING: it works, and somebody should look at it. */
export type FindingState = 'OK' | 'WARNING' | 'FAULT' | 'NOT_CHECKED'

export interface Finding {
  check: Check
  state: FindingState
  /** What was found and, where something is wrong, what to do about it. Holds no secret. */
  words: string
}

export const ok = (check: Check, words: string): Finding => ({ check, state: 'OK', words })
export const warning = (check: Check, words: string): Finding => ({ check, state: 'WARNING', words })
export const fault = (check: Check, words: string): Finding => ({ check, state: 'FAULT', words })
export const notChecked = (check: Check, words: string): Finding => ({ check, state: 'NOT_CHECKED', words })

/** Why something was not looked at. */
export const NEEDED = 'It needs what is missing above.'
