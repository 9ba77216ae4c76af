import { describe, expect, it } from 'vitest'
import { isInStep, withTable } from '../../../bench/readme.js'
import { markdownTable, readResults } from '../../../bench/results.js'
import { met, resultsOf } from './results-of.js'

const BEGIN = '<!-- bench: from bench/results.json, do not edit -->\n'
const END = '<!-- /bench -->'
const readme = (table: string) => `# Title\n\n${BEGIN}${table}${END}\n\nMore.\n`
const results = resultsOf(met, { ...met, name: '$& $1' })

describe('README.md', () => {
  it.each([
    ['without the marks', '# Title\n'],
    ['with the first mark only', `# Title\n${BEGIN}`],
    ['with the marks the wrong way round', `${END}\n${BEGIN}`]
  ])('%s has no place for the table', (_, text) => {
    expect(() => withTable(text, results)).toThrow('no place for the table')
  })

  it('is not in step with results of another run', () => {
    expect(isInStep(results)).toBe(false)
  })

  it('has the table of the last run of all cases', () => {
    expect(isInStep(readResults())).toBe(true)
  })

  it('gets the table between its marks, and nothing else changes', () => {
    expect(withTable(readme('an older table\n'), results)).toBe(readme(`${markdownTable(results)}\n`))
    expect(withTable(readme(''), results)).toBe(readme(`${markdownTable(results)}\n`))
  })

  it('has none before there are results', () => {
    expect(withTable(readme('an older table\n'), null)).toBe(readme(''))
  })
})
