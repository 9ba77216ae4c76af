import { Command } from '@commander-js/extra-typings'
import type { Verification } from '../conversation-key/verify-key-events.js'
import { examples } from './examples.js'
import { EXIT } from './exit-codes.js'
import { jsonOption } from './options.js'
import { Output } from './output.js'
import { withServices } from './with-services.js'

export const keysVerifyAudit = () =>
  new Command('verify-audit')
    .description(
      `Compute every hash of the audit trail anew: of all chains, with their heads and their anchors. Ends with ${EXIT.FAULTS_FOUND} where one is broken.`
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({ "conclave keys verify-audit || mail -s 'audit trail' security@example.com": 'once a day, from cron' })
    )
    .action(async (options) => {
      const [{ verifyKeyEvents }, { SHARDS, shardOf }] = await Promise.all([
        import('../conversation-key/verify-key-events.js'),
        import('../conversation-key/key-events.js')
      ])
      await withServices(async (services) => {
        const found = await verifyKeyEvents(services)
        const { firstInvalidSequence: first } = found
        const broken = first === null ? null : { first, chain: shardOf(first) }
        new Output(options).print(found, wordsOn(found, broken, SHARDS))
        if (!found.valid) process.exitCode = EXIT.FAULTS_FOUND
      })
    })

function wordsOn({ checked }: Verification, broken: { first: number; chain: number } | null, chains: number): string {
  if (!broken) return `The audit trail is whole: ${checked} events in ${chains} chains.`
  return `The audit trail is broken from event ${broken.first} on, in chain ${broken.chain}: it was changed, removed or put there past the server. Compare it with a backup from before, and find out who has had the owner’s login of the database.`
}
