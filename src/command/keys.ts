import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { examples } from './examples.js'
import { keysCensus } from './keys-census.js'
import { keysCompromise } from './keys-compromise.js'
import { keysDestroy } from './keys-destroy.js'
import { keysList } from './keys-list.js'
import { keysRewrap } from './keys-rewrap.js'
import { keysRotate } from './keys-rotate.js'
import { keysRotateDue } from './keys-rotate-due.js'
import { keysVerifyAudit } from './keys-verify-audit.js'

const COMMANDS: (() => CommandUnknownOpts)[] = [
  keysList,
  keysRotate,
  keysRotateDue,
  keysCensus,
  keysRewrap,
  keysCompromise,
  keysDestroy,
  keysVerifyAudit
]

/** What is done with keys, in the database itself: beside running servers, or without any. */
export function keys(): CommandUnknownOpts {
  const group = new Command('keys')
    .description('Look at keys and change them, as an operator with the secrets of the environment.')
    .addHelpText(
      'after',
      examples({
        'conclave keys list --overdue': 'what should have been rotated or destroyed by now',
        'conclave keys destroy --help': 'what a command does, and how it is given'
      })
    )
  for (const command of COMMANDS) group.addCommand(command())
  return group
}
