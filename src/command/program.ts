import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { completion } from './completion.js'
import { doctor } from './doctor.js'
import { examples } from './examples.js'
import { exporting } from './export.js'
import { importing } from './import.js'
import { keys } from './keys.js'
import { migrate } from './migrate.js'
import { open } from './open.js'
import { start } from './start.js'
import { token } from './token.js'
import { version } from './version.js'

/** Every command, in the order of the help. Each has a file of its own. */
const COMMANDS: (() => CommandUnknownOpts)[] = [
  start,
  migrate,
  token,
  keys,
  exporting,
  open,
  importing,
  doctor,
  completion
]

/**
 * The whole command line. Errors are thrown: nothing below ends the process.
 *
 * @param silent what it refuses it leaves to the caller to say
 */
export function createProgram({ silent = false } = {}): CommandUnknownOpts {
  const program = new Command('conclave')
    .description('Encrypted conversations whose keys rotate, expire and are destroyed: the server, and its keys.')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      examples({
        'conclave start': 'the server, with a database of its own where none is configured',
        'conclave token alice': 'to sign in to it, in development',
        'conclave keys --help': 'what can be done with keys'
      })
    )
    .addHelpText('after', '\nIt reads the environment that the server is started with. docs/command.md has all of it.')
  for (const command of COMMANDS) program.addCommand(command())
  settle(program, silent)
  return program
}

/** What holds for all commands, however deep: commander passes it on to none that are added. */
function settle(command: CommandUnknownOpts, silent: boolean): void {
  command
    .exitOverride()
    .helpOption('-h, --help', 'say what this does')
    .helpCommand(false)
    .showHelpAfterError(`(${[...ancestors(command)].join(' ')} --help says how)`)
    .configureHelp({ showGlobalOptions: false })
  if (silent) command.configureOutput({ writeErr: () => {} })
  for (const below of command.commands) settle(below, silent)
}

function ancestors(command: CommandUnknownOpts): string[] {
  return [...(command.parent ? ancestors(command.parent) : []), command.name()]
}
