import { Command } from '@commander-js/extra-typings'
import type { MasterKeyCensus } from '../key-life/key-census.js'
import type { Services } from '../services.js'
import { examples } from './examples.js'
import { jsonOption } from './options.js'
import { Output } from './output.js'
import { withServices } from './with-services.js'

export const keysCensus = () =>
  new Command('census')
    .description('How many private keys each master key holds, and which of them can be taken away.')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({ 'conclave keys census': 'before a master key is taken out of MASTER_KEYS_RETIRING' })
    )
    .action(async (options) => {
      await withServices(async (services) => new Output(options).table(await census(services), CENSUS_TABLE))
    })

export async function census(services: Services): Promise<MasterKeyCensus[]> {
  const { keyHealth } = await import('../key-life/key-census.js')
  return (await keyHealth({ ...services, now: services.clock.now() })).masterKeys
}

export const CENSUS_TABLE: Record<string, (key: MasterKeyCensus) => string> = {
  'MASTER KEY': ({ uri }) => uri,
  KEYS: ({ wrappedKeyCount }) => String(wrappedKeyCount),
  '': ({ current, reachable, safeToRetire }) =>
    [
      current && 'current',
      !reachable && 'out of reach of this process',
      safeToRetire && 'holds nothing: it can be taken out of MASTER_KEYS_RETIRING'
    ]
      .filter(Boolean)
      .join(', ')
}
