import { readFileSync } from 'node:fs'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/command/exit-codes.js'
import { createProgram } from '../../src/command/program.js'

/** docs/command.md beside the commands that there are. */

const page = readFileSync(new URL('../../docs/command.md', import.meta.url), 'utf8')
const withGroups = all(createProgram())
/** Without groups of commands, which do nothing themselves. */
const commands = withGroups.filter(({ commands }) => commands.length === 0)

describe('docs/command.md', () => {
  it('has every command, with its arguments, and no other, in the order of the help', () => {
    const rows = [...page.matchAll(/^\| `([a-z][^`]*)` \|/gm)].map(([, usage = '']) => usage.replaceAll('\\|', '|'))
    expect(rows).toEqual(commands.map(usageOf))
  })

  it('has every exit code, and no other', () => {
    const rows = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
    expect(rows).toEqual(Object.values(EXIT))
  })

  it('names no option that there is not', () => {
    const known = commands.flatMap(({ options }) => options.map(({ long }) => long))
    const named = [...page.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option)
    expect(named.filter((option) => ![...known, '--help'].includes(option))).toEqual([])
  })
})

describe('the help of a command', () => {
  it.each(withGroups.map((command) => [nameOf(command), command] as const))('of %s has an example', (_, command) => {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    expect(help).toMatch(/\nExamples:\n {2}# .+\n {2}.*conclave /)
  })
})

function all(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap((below) => all(below))]
}

function nameOf(command: CommandUnknownOpts): string {
  const above = command.parent ? nameOf(command.parent) : ''
  return above === '' || above === 'conclave' ? command.name() : `${above} ${command.name()}`
}

/** As it stands in the document: a choice of few values in the place of the name. */
function usageOf(command: CommandUnknownOpts): string {
  const args = command.registeredArguments.map((argument) => {
    const what = argument.argChoices?.join('|') ?? argument.name()
    return argument.required ? `<${what}>` : `[${what}]`
  })
  return [nameOf(command), ...args].join(' ')
}
