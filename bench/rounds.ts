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
const MEASURING_MS = 16_000
/** Of them, before rounds count: in its first second an API process reads a third of the pages that it does in its fourth. */
const WARMING_MS = 6_000
const DEFAULT_ROUNDS = { atMost: 12, warmUp: true }

/**
 * Measures both sides by turns, so that whatever else the machine does concerns both of them alike.
 *
 * @param nowMs a clock that goes evenly
 * @throws Error when a side answers what is no figure: with 0, say, the other side would meet any goal
 */
export async function measureRounds(
  { beside, rounds = DEFAULT_ROUNDS }: Pick<Case, 'beside' | 'rounds'>,
  sides: Sides,
  onRound: (round: number) => void,
  nowMs: () => number = () => performance.now()
): Promise<Figures> {
  const figures: Round[] = []
  const begin = nowMs()
  let longestMs = 0
  const timedRound = async (besideFirst: boolean) => {
    const roundBegin = nowMs()
    const round = await measureRound(sides, beside !== null, besideFirst)
    longestMs = Math.max(longestMs, nowMs() - roundBegin)
    return round
  }
  for (let warm = !rounds.warmUp; !warm; warm = nowMs() - begin + longestMs > WARMING_MS) await timedRound(false)
  while (figures.length < rounds.atMost) {
    if (figures.length > 0 && nowMs() - begin + longestMs > (rounds.measuringMs ?? MEASURING_MS)) break
    // Whoever comes second finds the machine as the first has left it.
    figures.push(await timedRound(figures.length % 2 === 1))
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

type Sides = Pick<Prepared, 'measured' | 'beside'>

interface Round {
  measured: number
  beside: number
}

async function measureRound(sides: Sides, isCompared: boolean, besideFirst: boolean): Promise<Round> {
  const round: Round = { measured: 0, beside: 1 }
  const measure = async (side: keyof Round) => {
    round[side] = requireFigure(side, await sides[side]())
  }
  if (isCompared && besideFirst) await measure('beside')
  await measure('measured')
  if (isCompared && !besideFirst) await measure('beside')
  return round
}

function requireFigure(side: string, value: number): number {
  if (!Number.isFinite(value) || value <= 0) throw new Error(`a round of ${side} came to ${value}`)
  return value
}

/** @param values one or more */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}
