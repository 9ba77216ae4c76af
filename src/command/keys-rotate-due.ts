import { Command } from '@commander-js/extra-typings'
import type { KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { examples } from './examples.js'
import { finishedWork, followOperation } from './follow-operation.js'
import { operator } from './operator.js'
import { asOption, jsonOption } from './options.js'
import { Output } from './output.js'
import { untilInterrupted, withServices } from './with-services.js'

export const keysRotateDue = () =>
  new Command('rotate-due')
    .description('Rotate every key that is due and was used, without waiting for the schedule.')
    .addOption(asOption())
    .addOption(jsonOption())
    .addHelpText('after', examples({ 'conclave keys rotate-due': 'after an outage of the workers, say' }))
    .action(async ({ as, ...options }) => {
      const viewer = operator(as)
      const { rotateDueKeys } = await import('../key-life/rotate-due-keys.js')
      const output = new Output(options)
      const stop = untilInterrupted()
      await withServices(async (services) => {
        const operation = (await underWay(services)) ?? (await rotateDueKeys(services, viewer))
        const finished = await followOperation(services, operation, { doing: 'Rotating', output, stop })
        finishedWork(finished, output, ({ done, failed }) => `${done} keys rotated, ${failed} could not be.`)
      })
    })

/** One that somebody has asked for is joined: there cannot be another. */
async function underWay(services: Services): Promise<KeyOperation | null> {
  const { findKeyOperation, findOpenOperations } = await import('../key-life/key-operations.js')
  const open = (await findOpenOperations(services)).find(({ kind }) => kind === 'ROTATE_DUE')
  return open ? await findKeyOperation(services, open.id) : null
}
