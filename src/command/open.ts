import { Command } from '@commander-js/extra-typings'
import { examples } from './examples.js'

export const open = () =>
  new Command('open')
    .description(
      'Open an export, once it was found to be whole, and print its records as JSON Lines. Needs no database.'
    )
    .argument('<file>', 'the export')
    .requiredOption('--key <file>', 'private key of the recipient in PEM')
    .option('--signed-by <file>', 'public keys in PEM of which one must have signed it')
    .option('--out <file>', 'the file to write (default: standard output)')
    .addHelpText(
      'after',
      examples({ 'conclave open ward.export --key auditor.pem --signed-by signing.pem | less': 'as an auditor' })
    )
    .action(async (file, { key, signedBy, out }) => {
      const [{ openFile }, { writeThrough, writeWhole }] = await Promise.all([
        import('../transfer/files/open-file.js'),
        import('../transfer/files/write-whole.js')
      ])
      const opened = await openFile(file, key, signedBy ?? null)
      await (out === undefined ? writeThrough(process.stdout, opened.lines) : writeWhole(out, opened.lines))
      const { counts, createdAt } = opened.manifest
      const compared = signedBy === undefined ? 'compare that with the key of the deployment' : 'as it has to be'
      process.stderr.write(
        `${counts.message} messages, exported at ${createdAt}, signed by ${opened.signedBy}: ${compared}.\n`
      )
    })
