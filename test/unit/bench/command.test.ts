import { describe, expect, it } from 'vitest'
import type { Case } from '../../../bench/case.js'
import { readCommand } from '../../../bench/command.js'

const all = ['send', 'hot', 'page'].map((name) => ({ name }) as Case)
const read = (...args: string[]) => {
  const { cases, ...rest } = readCommand(args, all)
  return { ...rest, names: cases.map(({ name }) => name) }
}

describe('npm run bench', () => {
  it('refuses what is neither a case nor a flag', () => {
    expect(() => read('send', 'sned', '--chekc')).toThrow('no such case: sned, --chekc. There are send, hot, page.')
  })

  it('keeps the results of no run of some cases, and of none that profiles', () => {
    for (const args of [['send'], ['--check', 'hot'], ['--profile'], ['send', 'hot', 'page']]) {
      expect(read(...args), args.join(' ')).toMatchObject({ isKept: false })
    }
  })

  it('measures all cases and keeps the results', () => {
    expect(read()).toEqual({ names: ['send', 'hot', 'page'], isKept: true, isChecked: false, isProfiled: false })
    expect(read('--check')).toMatchObject({ isKept: true, isChecked: true })
  })

  it('leaves a case that takes long to whoever names it', () => {
    const withLong = [...all, { name: 'long', onlyByName: true } as Case]
    expect(readCommand([], withLong).cases).toEqual(all)
    expect(readCommand(['long'], withLong).cases.map(({ name }) => name)).toEqual(['long'])
  })

  it('measures those that are named, in the order of the table', () => {
    expect(read('page', 'send', '--profile')).toMatchObject({ names: ['send', 'page'], isProfiled: true })
  })
})
