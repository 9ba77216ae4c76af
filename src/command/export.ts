import { Argument, Command } from '@commander-js/extra-typings'
import type { Services } from '../services.js'
import type { ExportSubject } from '../transfer/export-format.js'
import { examples } from './examples.js'
import { UsageError } from './exit-codes.js'
import { operator } from './operator.js'
import { asOption, conversationIn, jsonOption } from './options.js'
import { Output } from './output.js'
import { TransferProgress } from './transfer-progress.js'
import { withServices } from './with-services.js'

export const exporting = () =>
  new Command('export')
    .description(
      'Write a conversation, or everything that one user wrote, to a file that only the holder of a private key can open.'
    )
    .addArgument(new Argument('[conversation]', 'its id').argParser(conversationIn))
    .option('--user <id>', 'everything that this user wrote, in the place of a conversation')
    .option(
      '--for <file>',
      'public key of the recipient in PEM: RSA of 2048 bits at least, P-256, P-384, P-521 or X25519'
    )
    .option('--out <file>', 'the file to write (default: standard output)')
    .option(
      '--signing-keys',
      'print the public keys that exports of this deployment are signed with, and export nothing'
    )
    .addOption(asOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave export 0193a000-0000-7000-8000-000000000001 --for auditor.pub.pem --out ward.export':
          'for an auditor',
        'conclave export --user alice --for alice.pub.pem --out alice.export': 'for a request of a data subject',
        'conclave export --signing-keys > signing.pem': 'for whoever has to check who made an export'
      })
    )
    .action(async (conversation, { user, for: recipient, out = null, signingKeys, as, ...options }) => {
      const output = new Output(options)
      if (signingKeys) return await withServices((services) => printSigningKeys(services, output))
      const subject = subjectOf(conversation, user)
      if (recipient === undefined) throw new UsageError('Say with --for <file> whose public key it is made for.')
      const { exportFile } = await import('../transfer/files/export-file.js')
      const { id: actor } = operator(as)
      const progress = new TransferProgress(output, 'Exporting')
      let total: number | null = null
      const begun = (messages: number) => (total = messages)
      const report = (records: number, messages: number) => {
        if (total !== null) progress.reach(total === 0 ? 1 : messages / total)
        progress.show({ records, messages, total }, `${messages} messages`)
      }
      const file = { subject, recipient, out, actor, begun, report }
      await withServices((services) => exportFile(services, file)).finally(() => progress.end())
    })

function subjectOf(conversation: string | undefined, userId: string | undefined): ExportSubject {
  if (conversation !== undefined && userId === undefined) return { conversationId: conversation }
  if (conversation === undefined && userId !== undefined) return { userId }
  throw new UsageError('Name either a conversation or, with --user, a user.')
}

async function printSigningKeys(services: Services, output: Output): Promise<void> {
  const { listSigningKeys } = await import('../transfer/signing-key.js')
  for (const key of await listSigningKeys(services)) {
    output.print(key, `${key.thumbprint}  since ${key.createdAt.toISOString()}\n${key.publicKeyPem.trimEnd()}`)
  }
}
