import type { CommandUnknownOpts } from '@commander-js/extra-typings'

/** A word that may come next, and what it is for. */
export interface Word {
  text: string
  what: string
}

/** What may stand behind a command. */
export interface WordsOfCommand {
  /** The command and those above it, without `conclave`: "keys rotate"; empty for what comes first. */
  place: string
  /** Commands below it, values of its arguments, and its options. */
  next: Word[]
  /** Whether its argument is a file. */
  takesFile: boolean
  /** By option: its values, where there is a list of them, and none where there is not. */
  values: { option: string; words: Word[]; isFile: boolean }[]
}

/** Of a command and all below it. */
export function wordsOfCommands(command: CommandUnknownOpts, above: string[] = []): WordsOfCommand[] {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description }) => (long ? [{ text: long, what: description }] : []))
  const below = command.commands.map((each) => ({ text: each.name(), what: each.description() }))
  const values = command.registeredArguments.flatMap(({ argChoices, description }) =>
    (argChoices ?? []).map((text) => ({ text, what: description }))
  )
  return [
    {
      place: above.join(' '),
      next: [...below, ...values, ...options],
      takesFile: command.registeredArguments.some((argument) => argument.name() === 'file'),
      values: valuesOf(command)
    },
    ...command.commands.flatMap((each) => wordsOfCommands(each, [...above, each.name()]))
  ]
}

function valuesOf({ options }: CommandUnknownOpts): WordsOfCommand['values'] {
  return options
    .filter(({ required, long }) => required && long)
    .map(({ long, flags, argChoices, description }) => ({
      option: long ?? '',
      words: (argChoices ?? []).map((text) => ({ text, what: description })),
      isFile: flags.endsWith('<file>')
    }))
}

/** Patterns of what stands above a command, a space, and the command: by these a shell finds its way down a line. */
export function stepsDown(commands: readonly WordsOfCommand[]): string {
  const places = commands.filter(({ place }) => place !== '').map(({ place }) => place.split(' '))
  return places.map((names) => `'${names.slice(0, -1).join(' ')} ${names.at(-1)}'`).join('|')
}
