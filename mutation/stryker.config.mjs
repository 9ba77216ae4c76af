import { chosenFolder } from './folders.mjs'

const { name, mutate, database } = chosenFolder()

export default {
  mutate,
  testRunner: 'vitest',
  vitest: { configFile: 'mutation/vitest.config.mjs' },
  plugins: ['@stryker-mutator/vitest-runner'],
  coverageAnalysis: 'perTest',
  // Two cores, shared with what the tests start.
  concurrency: 2,
  // A mutant that does not end counts as noticed: on a database of a busy machine one that does must have the time to.
  timeoutMS: database ? 60_000 : 10_000,
  // None: what reads it wants the JavaScript interface of TypeScript 6, and the tests do not need it.
  tsconfigFile: 'none.json',
  ignorePatterns: ['dist', 'docs', 'bench', 'reports', 'artefacts', '.data', '.provider-tools'],
  reporters: ['clear-text', 'json', 'progress-append-only'],
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  clearTextReporter: { allowColor: false, reportMutants: false, reportTests: false },
  thresholds: { high: 95, low: 85, break: 85 }
}
