import { Argument, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import { isConversationId } from '../graphql/ids.js'

/** Arguments and options that several commands have. */

export const jsonOption = () => new Option('--json', 'print JSON lines, for programs')

export const asOption = () =>
  new Option('--as <name>', 'who does this, for the audit trail (default: your name on this machine)')

export const yesOption = () => new Option('-y, --yes', 'do not ask, as it has to be where nobody can answer')

export const conversationArgument = () =>
  new Argument('<conversation>', 'its id').argParser((text: string): string => conversationIn(text))

export const versionArgument = () =>
  new Argument('<version>', 'of its key: 1, 2, 3 …').argParser((text: string): number => {
    if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Versions are numbered 1, 2, 3 …')
    return Number(text)
  })

export function conversationIn(text: string): string {
  if (!isConversationId(text)) throw new InvalidArgumentError('This is not the id of a conversation.')
  return text
}
