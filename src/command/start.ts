import { Argument, Command } from '@commander-js/extra-typings'
import { examples } from './examples.js'
import { CannotStart } from './words-of.js'

export const start = () =>
  new Command('start')
    .description('Serve, until Ctrl-C or SIGTERM.')
    .addArgument(new Argument('[part]', 'one of the two only, as in production').choices(['api', 'worker'] as const))
    .addHelpText(
      'after',
      examples({
        'conclave start': 'API and worker in one process, with a database of its own where none is configured',
        'DATABASE_URL=postgres://… conclave start api': 'the API alone',
        'DATABASE_URL=postgres://… conclave start worker': 'the jobs alone'
      })
    )
    .action(async (part) => {
      try {
        const { serve } = await import('../serve.js')
        await serve(part ? [part] : ['api', 'worker'])
      } catch (error) {
        throw new CannotStart(error)
      }
    })
