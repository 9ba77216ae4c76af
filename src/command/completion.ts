import { Argument, Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { bashCompletion } from './completion-bash.js'
import { wordsOfCommands } from './completion-words.js'
import { zshCompletion } from './completion-zsh.js'
import { examples } from './examples.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion } as const

export const completion = () =>
  new Command('completion')
    .description('Print what makes a shell complete this command on Tab.')
    .addArgument(new Argument('<shell>', 'whose').choices(Object.keys(SHELLS) as (keyof typeof SHELLS)[]))
    .addHelpText(
      'after',
      examples({
        'conclave completion bash > ~/.conclave-completion.bash':
          'and in ~/.bashrc: source ~/.conclave-completion.bash',
        'conclave completion zsh > ~/.conclave-completion.zsh':
          'and in ~/.zshrc, after compinit: source ~/.conclave-completion.zsh'
      })
    )
    .action((shell, _options, command) => {
      process.stdout.write(SHELLS[shell](wordsOfCommands(rootOf(command as CommandUnknownOpts))))
    })

function rootOf(command: CommandUnknownOpts): CommandUnknownOpts {
  return command.parent ? rootOf(command.parent) : command
}
