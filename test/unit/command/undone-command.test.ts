import { afterEach, expect, it, vi } from 'vitest'
import { runCommand } from '../../../src/command/run.js'

vi.mock('../../../src/command/program.js', () => ({
  createProgram: () => ({ parseAsync: () => new Promise(() => {}) })
}))

afterEach(() => void vi.restoreAllMocks())

it.each([
  ['in words', [], /^The command ended before it was done: .*\n$/],
  ['in JSON', ['--json'], /^\{"error":"The command ended before it was done: .*"\}\n$/]
])('a command that waits for what nobody will tell it says so %s, and ends with 1', (_how, options, words) => {
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never)
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  void runCommand(['import', 'ward.export', ...options])
  process.emit('beforeExit', 0)
  expect(said.mock.calls.map(([text]) => text)).toEqual([expect.stringMatching(words)])
  expect(exit).toHaveBeenCalledExactlyOnceWith(1)
})
