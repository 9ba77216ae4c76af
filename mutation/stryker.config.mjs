import { chosenFolder } from './folders.mjs'

const { name, mutate } = chosenFolder()

export default {
  mutate,
  testRunner: 'vitest',
  vitest: { configFile: 'mutation/vitest.config.mjs' },
  plugins: ['@stryker-mutator/vitest-runner'],
  coverageAnalysis: 'perTest',
  // Two cores, shared with what the tests start.
  concurrency: 2,
  timeoutMS: 10_000,
  // None: what reads it wants the JavaScript interface of TypeScript 6, and the tests do not need it.
  tsconfigFile: 'none.json',
  ignorePatterns: ['dist', 'docs', 'bench', 'reports', '.data', '.provider-tools'],
  reporters: ['clear-text', 'json', 'progress-append-only'],
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  clearTextReporter: { allowColor: false, reportMutants: false, reportTests: false },
  thresholds: { high: 95, low: 85, break: 85 }
}
