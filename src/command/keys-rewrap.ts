import { Command } from '@commander-js/extra-typings'
import type { Viewer } from '../identity/viewer.js'
import type { KeyOperation } from '../key-life/key-operations.js'
import type { Services } from '../services.js'
import { StartError } from '../start-error.js'
import { examples } from './examples.js'
import { finishedWork, followOperation } from './follow-operation.js'
import { CENSUS_TABLE, census } from './keys-census.js'
import { operator } from './operator.js'
import { asOption, jsonOption } from './options.js'
import { Output } from './output.js'
import { untilInterrupted, withServices } from './with-services.js'

export const keysRewrap = () =>
  new Command('rewrap')
    .description(
      'Move every private key to the master key MASTER_KEY, from those of MASTER_KEYS_RETIRING. It may be interrupted and given again at any time.'
    )
    .option('--dry-run', 'open and wrap every key, and store nothing', false)
    .addOption(asOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave keys rewrap --dry-run': 'whether it would go through',
        'conclave keys rewrap': 'once all servers have the new MASTER_KEY'
      })
    )
    .action(async ({ dryRun, as, ...options }) => {
      const viewer = operator(as)
      const output = new Output(options)
      const stop = untilInterrupted()
      await withServices(async (services) => {
        if (!output.json) output.table(await census(services), CENSUS_TABLE)
        const operation = await begin(services, viewer, dryRun)
        const doing = dryRun ? 'Trying' : 'Moving'
        const finished = await followOperation(services, operation, { doing, output, stop })
        finishedWork(
          finished,
          output,
          ({ done, failed }) => `${done} keys ${dryRun ? 'would be moved' : 'moved'}, ${failed} set aside.`
        )
        if (finished && !dryRun) await sayWhatIsFree(services, output)
      })
    })

/** Begins one, or goes on with one that was begun. */
async function begin(services: Services, viewer: Viewer, dryRun: boolean): Promise<KeyOperation> {
  const [{ findOpenRewrap }, { rewrapPrivateKeys }] = await Promise.all([
    import('../key-life/key-operations.js'),
    import('../key-life/rewrap-private-keys.js')
  ])
  const open = await findOpenRewrap(services)
  const { uri } = services.masterKeys.current
  if (open && open.target !== uri) {
    throw new StartError(
      `A rewrap to ${open.target} is under way, and MASTER_KEY is ${uri}. Let it end, or cancel it: cancelKeyOperation(id: "${open.id}").`
    )
  }
  if (open && open.dryRun !== dryRun) {
    throw new StartError(`A ${open.dryRun ? 'dry run' : 'rewrap'} is under way (${open.id}). Let it end, or cancel it.`)
  }
  return open ?? (await rewrapPrivateKeys(services, viewer, { dryRun }))
}

async function sayWhatIsFree(services: Services, output: Output): Promise<void> {
  for (const { uri, current, wrappedKeyCount } of await census(services)) {
    if (current) continue
    const kept = `still holds ${wrappedKeyCount} keys: it is needed.`
    const free = 'holds no key any more: it can be taken out of MASTER_KEYS_RETIRING.'
    output.say(`${uri} ${wrappedKeyCount > 0 ? kept : free}`)
  }
}
