import { Command } from '@commander-js/extra-typings'
import type { Viewer } from '../identity/viewer.js'
import type { KeyVersion } from '../key-life/destroy-key.js'
import type { KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { confirm } from './confirm.js'
import { described, endangeredKey } from './endangered-key.js'
import { examples } from './examples.js'
import { finishedWork, followOperation } from './follow-operation.js'
import { operator } from './operator.js'
import { asOption, conversationArgument, jsonOption, versionArgument, yesOption } from './options.js'
import { Output } from './output.js'
import type { ShownKey } from './shown-key.js'
import { untilInterrupted, withServices } from './with-services.js'

export const keysCompromise = () =>
  new Command('compromise')
    .description(
      'Say that a version’s private key may be in other hands: it is rotated away from at once, its messages are encrypted anew, and it is destroyed.'
    )
    .addArgument(conversationArgument())
    .addArgument(versionArgument())
    .addOption(asOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText('after', examples({ 'conclave keys compromise 019abc12-… 2': 'after somebody has seen version 2' }))
    .action(async (conversationId, version, { as, yes, ...options }) => {
      const viewer = operator(as)
      const output = new Output(options)
      const target = { conversationId, version }
      await withServices(async (services) => {
        const key = await endangeredKey(services, target)
        // Interrupted before: what is to be confirmed was, and what is to be done is under way.
        const open = key.state === 'COMPROMISED' ? await openOperationOn(services, target) : null
        if (!open) await confirm(lossOf(key), 'compromised', { yes })
        const stop = untilInterrupted()
        const operation = open ?? (await mark(services, viewer, target))
        const finished = await followOperation(services, operation, { doing: 'Encrypting anew', output, stop })
        finishedWork(finished, output, ({ state, done, failed }) => {
          const end = state === 'SUCCEEDED' ? 'destroyed' : 'kept'
          return `${done} messages encrypted anew, ${failed} could not be opened. The version is ${end}.`
        })
      })
    })

async function openOperationOn(services: Services, target: KeyVersion): Promise<KeyOperation | null> {
  const { findOpenOperationOn } = await import('../key-life/key-operations.js')
  return await findOpenOperationOn(services, target)
}

async function mark(services: Services, viewer: Viewer, target: KeyVersion): Promise<KeyOperation> {
  const { markKeyCompromised } = await import('../key-life/mark-compromised.js')
  return (await markKeyCompromised(services, viewer, target)).operation
}

function lossOf(key: ShownKey): string {
  return [
    `This marks ${described(key)}, as compromised. That cannot be taken back.`,
    `Messages that need it: ${key.messages}. They are encrypted anew, under another version; then it is destroyed.`,
    'Messages in backups from before can then be read only by who has restored this version from one.'
  ].join('\n')
}
