import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import { addDuration, type Duration, parseDuration } from '../duration.js'
import type { Viewer } from '../identity/viewer.js'
import type { KeyVersion } from '../key-life/destroy-key.js'
import type { Services } from '../services.js'
import { confirm } from './confirm.js'
import { described, endangeredKey } from './endangered-key.js'
import { examples } from './examples.js'
import { operator } from './operator.js'
import { asOption, conversationArgument, jsonOption, versionArgument, yesOption } from './options.js'
import { instant, Output } from './output.js'
import { type ShownKey, shownKey } from './shown-key.js'
import { withServices } from './with-services.js'

export const keysDestroy = () =>
  new Command('destroy')
    .description(
      'Have a version that is not active any more destroyed, with all messages under it. They cannot be read from now on; until the destruction it can be taken back.'
    )
    .addArgument(conversationArgument())
    .addArgument(versionArgument())
    .addOption(
      new Option('--after <duration>', 'when, from now on').argParser(durationIn).default('P7D' as Duration, 'P7D')
    )
    .addOption(new Option('--cancel', 'take it back').conflicts('yes'))
    .addOption(asOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave keys destroy 019abc12-… 1 --after P30D': 'in thirty days',
        'conclave keys destroy 019abc12-… 1 --cancel': 'not at all',
        'conclave keys destroy 019abc12-… 1 --after PT1S --yes --json': 'at once, from a script'
      })
    )
    .action(async (conversationId, version, { after, cancel, as, yes, ...options }) => {
      const viewer = operator(as)
      const target = { conversationId, version }
      const output = new Output(options)
      await withServices(async (services) => {
        const key = await endangeredKey(services, target)
        if (cancel) return await takeBack(services, viewer, target, key.messages, output)
        await confirm(lossOf(key, addDuration(services.clock.now(), after)), 'destroy', { yes })
        await schedule(services, viewer, target, key.messages, after, output)
      })
    })

async function schedule(
  services: Services,
  viewer: Viewer,
  target: KeyVersion,
  messages: number,
  after: Duration,
  output: Output
): Promise<void> {
  const { scheduleKeyDestruction } = await import('../key-life/destroy-key.js')
  const key = shownKey(await scheduleKeyDestruction(services, viewer, target, after), messages)
  output.print(key, `It is destroyed at ${instant(key.destroysAt)}. Until then --cancel takes that back.`)
}

async function takeBack(
  services: Services,
  viewer: Viewer,
  target: KeyVersion,
  messages: number,
  output: Output
): Promise<void> {
  const { cancelKeyDestruction } = await import('../key-life/destroy-key.js')
  const key = shownKey(await cancelKeyDestruction(services, viewer, target), messages)
  output.print(key, `It is ${key.state} again, and its ${messages} messages can be read.`)
}

function lossOf(key: ShownKey, at: Date): string {
  return [
    `This destroys ${described(key)}, at ${instant(at)}.`,
    `Messages that need it: ${key.messages}. They cannot be read any more from now on, and never again after that.`
  ].join('\n')
}

function durationIn(text: string): Duration {
  try {
    return parseDuration(text)
  } catch {
    throw new InvalidArgumentError('Give an ISO 8601 duration of up to ten years, such as P7D or PT1S.')
  }
}
