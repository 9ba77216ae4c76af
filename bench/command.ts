import type { Case } from './case.js'

const FLAGS = ['--check', '--profile']

/** What the benchmark is asked for. */
export interface Command {
  cases: Case[]
  /** Whether its results are kept. Not of some cases only; and profiling costs time itself. */
  isKept: boolean
  /** Whether it fails with a goal that is missed. */
  isChecked: boolean
  isProfiled: boolean
}

/**
 * @param args `[--check] [--profile] [case …]`, without a case for all but those that are run by name only
 * @throws Error for what is neither a flag nor a case
 */
export function readCommand(args: string[], all: Case[]): Command {
  const names = args.filter((arg) => !FLAGS.includes(arg))
  const unknown = names.filter((name) => !all.some((one) => one.name === name))
  if (unknown.length > 0) {
    throw new Error(`no such case: ${unknown.join(', ')}. There are ${all.map(({ name }) => name).join(', ')}.`)
  }
  const isProfiled = args.includes('--profile')
  return {
    cases: all.filter(({ name, onlyByName }) => (names.length === 0 ? !onlyByName : names.includes(name))),
    isKept: names.length === 0 && !isProfiled,
    isChecked: args.includes('--check'),
    isProfiled
  }
}
