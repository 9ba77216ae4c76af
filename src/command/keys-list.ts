import { Argument, Command, Option } from '@commander-js/extra-typings'
import { KEY_TRANSITIONS } from '../conversation-key/key-states.js'
import type { ConversationKey, KeyState } from '../database/entities.js'
import type { InventoryFilter, InventoryPosition } from '../key-life/key-inventory.js'
import type { Services } from '../services.js'
import { examples } from './examples.js'
import { UsageError } from './exit-codes.js'
import { conversationIn, jsonOption } from './options.js'
import { Output } from './output.js'
import { KEY_TABLE, shownKey } from './shown-key.js'
import { withServices } from './with-services.js'

const STATES = Object.keys(KEY_TRANSITIONS) as KeyState[]
const PAGE = 200

export const keysList = () =>
  new Command('list')
    .description('The versions of a conversation’s key with their states and times, or those of all conversations.')
    .addArgument(new Argument('[conversation]', 'its id; all of them without').argParser(conversationIn))
    .addOption(new Option('--state <state>', 'of all conversations, those in this state').choices(STATES))
    .option('--overdue', 'of all conversations, those whose rotation or destruction is overdue')
    .option('--master-key <uri>', 'of all conversations, those that lie under it')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave keys list 019abc12-…': 'of one conversation',
        'conclave keys list --state COMPROMISED': 'that are being moved away from',
        'conclave keys list --master-key local:lost --state ACTIVE --json | jq -r .conversationId':
          'conversations to rotate when a master key is lost'
      })
    )
    .action(async (conversationId, { state, overdue = false, masterKey = null, ...options }) => {
      const filter = { states: state ? [state] : null, overdue, masterKey }
      if (conversationId !== undefined && (state || overdue || masterKey !== null)) {
        throw new UsageError('--state, --overdue and --master-key look through all conversations: leave the id away.')
      }
      await withServices(async (services) => {
        const pages = conversationId === undefined ? inventory(services, filter) : ofOne(services, conversationId)
        const output = new Output(options)
        for await (const page of pages) output.table(await counted(services, page), KEY_TABLE)
      })
    })

async function* ofOne(services: Services, conversationId: string): AsyncGenerator<ConversationKey[]> {
  const [{ ALL_KEYS, listKeysOf }, { NotFound }] = await Promise.all([
    import('../conversation-key/list-keys.js'),
    import('../errors.js')
  ])
  const found = await listKeysOf(services, conversationId, ALL_KEYS)
  if (found.length === 0) throw new NotFound('conversation')
  yield found
}

/** A page at a time: there may be millions. */
async function* inventory({ database, clock }: Services, filter: InventoryFilter): AsyncGenerator<ConversationKey[]> {
  const { listInventory } = await import('../key-life/key-inventory.js')
  let after: InventoryPosition | null = null
  for (;;) {
    const page: ConversationKey[] = await listInventory({ database, now: clock.now() }, filter, PAGE, after)
    if (page.length > 0 || after === null) yield page
    const last = page.at(-1)
    if (page.length < PAGE || !last) return
    after = last
  }
}

async function counted(services: Services, keys: readonly ConversationKey[]) {
  const { countMessagesOfKeys } = await import('../key-life/key-census.js')
  const counts = await countMessagesOfKeys(services, keys)
  return keys.map((key, at) => shownKey(key, counts[at] ?? 0))
}
