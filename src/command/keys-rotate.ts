import { Command } from '@commander-js/extra-typings'
import { examples } from './examples.js'
import { operator } from './operator.js'
import { asOption, conversationArgument, jsonOption } from './options.js'
import { Output } from './output.js'
import { shownKey } from './shown-key.js'
import { withServices } from './with-services.js'

export const keysRotate = () =>
  new Command('rotate')
    .description('Make the next version of a conversation’s key, now. Members notice nothing.')
    .addArgument(conversationArgument())
    .addOption(asOption())
    .addOption(jsonOption())
    .addHelpText('after', examples({ 'conclave keys rotate 019abc12-… --as kim': 'on behalf of Kim' }))
    .action(async (conversationId, { as, ...options }) => {
      const viewer = operator(as)
      const { rotateKey } = await import('../conversation-key/rotate-key.js')
      await withServices(async (services) => {
        const key = await rotateKey(services, viewer, conversationId)
        const words = `Version ${key.version} is active, under ${key.masterKey}.`
        new Output(options).print(shownKey(key, 0), words)
      })
    })
