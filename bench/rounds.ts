import type { Case, Prepared } from './case.js'

export interface Figures {
  /** Medians of the rounds, in the case's unit. */
  measured: number
  beside: number | null
  /** Of each round's ratio, or of its figure where nothing stands beside it. */
  ratio: { median: number; least: number; most: number }
  rounds: number
}

/** Of measuring, for one case. A round that has begun is finished: the case stays below a minute. */
const MEASURING_MS = 20_000
const DEFAULT_ROUNDS = { atMost: 12, warmUp: true }

/** Measures both sides by turns, so that whatever else the machine does concerns both of them alike. */
export async function measureRounds(
  { beside, rounds = DEFAULT_ROUNDS }: Case,
  prepared: Prepared,
  onRound: (round: number) => void
): Promise<Figures> {
  const figures: { measured: number; beside: number }[] = []
  const begin = performance.now()
  if (rounds.warmUp) await measureRound(prepared, beside !== null, false)
  let longestMs = 0
  while (figures.length < rounds.atMost) {
    const roundBegin = performance.now()
    if (figures.length > 0 && roundBegin - begin + longestMs > MEASURING_MS) break
    // Whoever comes second finds the machine as the first has left it.
    figures.push(await measureRound(prepared, beside !== null, figures.length % 2 === 1))
    longestMs = Math.max(longestMs, performance.now() - roundBegin)
    onRound(figures.length)
  }
  const ratios = figures.map((round) => round.measured / round.beside)
  return {
    measured: median(figures.map((round) => round.measured)),
    beside: beside === null ? null : median(figures.map((round) => round.beside)),
    ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
    rounds: figures.length
  }
}

async function measureRound(prepared: Prepared, isCompared: boolean, besideFirst: boolean) {
  if (!isCompared) return { measured: await prepared.measured(), beside: 1 }
  if (!besideFirst) return { measured: await prepared.measured(), beside: await prepared.beside() }
  const beside = await prepared.beside()
  return { measured: await prepared.measured(), beside }
}

/** @param values one or more */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}
