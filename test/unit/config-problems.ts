import { expect } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.js'
import { thrownBy } from './failures.js'

/** What the environment is refused with; the test fails when it is taken. */
export function configErrorOf(env: NodeJS.ProcessEnv): ConfigError {
  const error = thrownBy(() => loadConfig(env))
  if (!(error instanceof ConfigError)) throw error
  expect(error.name).toBe('ConfigError')
  expect(error.message).toBe(error.problems.join('\n'))
  return error
}

export function problemsOf(env: NodeJS.ProcessEnv): string[] {
  return configErrorOf(env).problems
}
