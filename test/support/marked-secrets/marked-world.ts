import { randomUUID } from 'node:crypto'
import type { TestDatabase } from '../test-database.js'
import { ecRecipient } from '../transfer/recipients.js'
import { askOver } from '../transports.js'

/** Texts that nobody but the members may read, and their tokens. */
export interface MarkedTexts {
  body: string
  title: string
  clientMessageId: string
}

/** A conversation of alice, bob and carol, with a message of each of the former in it. */
export interface MarkedConversation {
  conversationId: string
  /** Of alice. */
  messageId: string
  /** Before the two messages. */
  eventCursor: string
}

export type Variables = Record<string, unknown>

/** Sends what is needed before an operation can succeed. */
export class MarkedWorld {
  readonly #url: string
  readonly #texts: MarkedTexts
  readonly #tokens: Record<'alice' | 'bob', string>
  readonly #database: TestDatabase
  #standing: Promise<MarkedConversation> | null = null
  /** Of every export. */
  readonly recipient = ecRecipient()

  constructor(url: string, texts: MarkedTexts, tokens: Record<'alice' | 'bob', string>, database: TestDatabase) {
    this.#url = url
    this.#texts = texts
    this.#tokens = tokens
    this.#database = database
  }

  get texts(): MarkedTexts {
    return this.#texts
  }

  async run<Data>(who: 'alice' | 'bob', query: string, variables: Variables = {}): Promise<Data> {
    const { data, errors } = await askOver('HTTP', this.#url, this.#tokens[who], { query, variables })
    if (!data || errors) throw new Error(`${query}: ${JSON.stringify(errors)}`)
    return data as Data
  }

  /** One for all that leave it as it is, or do no more than add to it: a key pair for each would take most of the time. */
  async standing(): Promise<MarkedConversation> {
    this.#standing ??= this.conversation()
    return await this.#standing
  }

  async conversation(): Promise<MarkedConversation> {
    const input = { memberIds: ['bob', 'carol'], title: this.#texts.title }
    const created = await this.run<{ createConversation: { conversation: { id: string; eventCursor: string } } }>(
      'alice',
      'mutation ($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id eventCursor } } }',
      { input }
    )
    const { id: conversationId, eventCursor } = created.createConversation.conversation
    await this.send('bob', conversationId)
    return { conversationId, messageId: await this.send('alice', conversationId), eventCursor }
  }

  async send(who: 'alice' | 'bob', conversationId: string): Promise<string> {
    const input = this.draft(conversationId)
    const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }'
    return (await this.run<{ sendMessage: { message: { id: string } } }>(who, query, { input })).sendMessage.message.id
  }

  draft(conversationId: string) {
    const { body, clientMessageId } = this.#texts
    return { conversationId, body, clientMessageId: `${clientMessageId}-${randomUUID()}` }
  }

  /** A conversation whose first key version is not the active one any more. */
  async rotated(): Promise<MarkedConversation> {
    const made = await this.conversation()
    const query = 'mutation ($id: ID!) { rotateKey(conversationId: $id) { conversationId } }'
    await this.run('alice', query, { id: made.conversationId })
    return made
  }

  async scheduled(): Promise<MarkedConversation> {
    const made = await this.rotated()
    const query = `mutation ($id: ID!) { scheduleKeyDestruction(conversationId: $id, version: 1, after: "P1D") { conversationId } }`
    await this.run('alice', query, { id: made.conversationId })
    return made
  }

  /** An operation on keys that waits, of a kind that no worker has steps for: it waits for good. */
  async pausedOperation(): Promise<string> {
    const id = randomUUID()
    await this.#database.query(
      `insert into key_operations (id, kind, state, actor, conversation_id, created_at, paused_at)
       values ($1, 'REFILL_POOL', 'QUEUED', 'alice', $1, now(), now())`,
      [id]
    )
    return id
  }

  /** An export that alice has asked for. */
  async orderedExport(): Promise<string> {
    const { conversationId } = await this.roomForExport()
    const query =
      'mutation ($id: ID!, $pem: String!) { exportConversation(conversationId: $id, publicKeyPem: $pem) { export { id } } }'
    const variables = { id: conversationId, pem: this.recipient.publicPem }
    type Answer = { exportConversation: { export: { id: string } } }
    return (await this.run<Answer>('alice', query, variables)).exportConversation.export.id
  }

  /** One that no worker takes up: its operation is paused, as none can be by anybody who uses the program. */
  async unfinishedExport(): Promise<string> {
    const { conversationId } = await this.roomForExport()
    const id = randomUUID()
    await this.#database.query(
      `insert into key_operations (id, kind, state, actor, conversation_id, created_at, paused_at)
       values ($1, 'EXPORT', 'QUEUED', 'alice', $2, now(), now())`,
      [id, conversationId]
    )
    await this.#database.query(
      `insert into exports (operation_id, conversation_id, requested_by, recipient_key, visible_after, expires_at)
       values ($1, $2, 'alice', $3, 0, now() + interval '1 day')`,
      [id, conversationId, this.recipient.publicPem]
    )
    return id
  }

  /** A conversation that may be exported: of others nothing waits, and an owner may have so many that do. */
  async roomForExport(): Promise<MarkedConversation> {
    await this.#database.query('update exports set expires_at = now()')
    return await this.conversation()
  }

  /** Says so once more; too often is no fault. */
  async typing(conversationId: string): Promise<void> {
    const query = 'mutation ($id: ID!, $typing: Boolean!) { setTyping(conversationId: $id, typing: $typing) }'
    for (const typing of [true, false])
      await askOver('HTTP', this.#url, this.#tokens.bob, { query, variables: { id: conversationId, typing } })
  }
}

/** How an operation succeeds. */
export interface Driver {
  /** Makes what is needed, and gives the variables. Each of them is used once. */
  variables(world: MarkedWorld): Promise<Variables>
  /** Of a subscription that waits for others to do something. */
  provoke?(world: MarkedWorld, variables: Variables): Promise<void>
}

const none: Driver = { variables: async () => ({}) }
const conversation = (more: (world: MarkedWorld, made: MarkedConversation) => Variables = () => ({})): Driver => ({
  variables: async (world) => {
    const made = await world.conversation()
    return { conversationId: made.conversationId, ...more(world, made) }
  }
})
const standing = (more: (world: MarkedWorld, made: MarkedConversation) => Variables = () => ({})): Driver => ({
  variables: async (world) => {
    const made = await world.standing()
    return { conversationId: made.conversationId, ...more(world, made) }
  }
})
const message = (more: (world: MarkedWorld) => Variables = () => ({})): Driver => ({
  variables: async (world) => ({ messageId: (await world.conversation()).messageId, ...more(world) })
})
const version = (state: 'rotated' | 'scheduled', variables: Variables): Driver => ({
  variables: async (world) => ({ conversationId: (await world[state]()).conversationId, ...variables })
})
const ordered: Driver = { variables: async (world) => ({ id: await world.orderedExport() }) }
const operation: Driver = { variables: async (world) => ({ id: await world.pausedOperation() }) }

/** One for each field of the schema's roots. All is done by alice, who owns the conversations and has every scope. */
export const DRIVERS: Record<string, Driver> = {
  'Query.conversation': { variables: async (world) => ({ id: (await world.standing()).conversationId }) },
  'Query.conversationExport': ordered,
  'Query.conversationKeyPolicy': standing(),
  'Query.conversationKeys': standing(),
  'Query.conversations': none,
  'Query.dueRotations': none,
  'Query.keyEvents': standing(),
  'Query.keyHealth': none,
  'Query.keyInventory': { variables: async () => ({ filter: { states: ['ACTIVE'] }, first: 5 }) },
  'Query.keyOperation': operation,
  'Query.keyOperations': none,
  'Query.node': { variables: async (world) => ({ id: (await world.standing()).messageId }) },
  'Query.storedMessage': { variables: async (world) => ({ id: (await world.standing()).messageId }) },
  'Query.verifyKeyEvents': none,
  'Query.viewer': none,
  'Mutation.addMembers': conversation(() => ({ userIds: ['dave'] })),
  'Mutation.cancelKeyDestruction': version('scheduled', { version: 1 }),
  'Mutation.cancelKeyOperation': operation,
  'Mutation.createConversation': {
    variables: async ({ texts }) => ({ input: { memberIds: ['bob'], title: texts.title } })
  },
  'Mutation.deleteConversation': conversation(),
  'Mutation.deleteMessage': message(),
  'Mutation.devToken': { variables: async () => ({ userId: 'dave', scopes: ['keys:read'] }) },
  'Mutation.editMessage': message(({ texts }) => ({ body: `${texts.body}, edited` })),
  'Mutation.exportConversation': {
    variables: async (world) => ({
      conversationId: (await world.roomForExport()).conversationId,
      publicKeyPem: world.recipient.publicPem
    })
  },
  'Mutation.leaveConversation': {
    variables: async (world) => {
      const { conversationId } = await world.conversation()
      const query =
        'mutation ($id: ID!) { setMemberRole(conversationId: $id, userId: "bob", role: OWNER) { conversation { id } } }'
      await world.run('alice', query, { id: conversationId })
      return { conversationId }
    }
  },
  'Mutation.markKeyCompromised': version('rotated', { version: 1 }),
  'Mutation.markRead': standing(() => ({ sequence: 1 })),
  'Mutation.pauseKeyOperation': operation,
  'Mutation.reencryptConversation': version('rotated', { fromVersion: 1 }),
  'Mutation.removeMember': conversation(() => ({ userId: 'carol' })),
  'Mutation.renameConversation': standing(({ texts }) => ({ title: `${texts.title}, renamed` })),
  'Mutation.resumeKeyOperation': operation,
  'Mutation.rewrapPrivateKeys': { variables: async () => ({ dryRun: true }) },
  'Mutation.rotateDueKeys': none,
  'Mutation.rotateKey': conversation(),
  'Mutation.scheduleKeyDestruction': version('rotated', { version: 1, after: 'PT1S' }),
  'Mutation.sendMessage': {
    variables: async (world) => ({ input: world.draft((await world.standing()).conversationId) })
  },
  'Mutation.setKeyPolicy': standing(() => ({ policy: { rotateAfter: 'P1D' } })),
  'Mutation.setMemberRole': conversation(() => ({ userId: 'bob', role: 'MODERATOR' })),
  'Mutation.setTyping': standing(() => ({ typing: true })),
  'Subscription.activity': {
    ...standing(),
    provoke: async (world, { conversationId }) => await world.typing(String(conversationId))
  },
  'Subscription.conversationExportProgress': ordered,
  'Subscription.inboxEvents': {
    variables: async (world) => {
      const { conversationId, eventCursor } = await world.standing()
      return { resume: [{ conversationId, after: eventCursor }] }
    }
  },
  'Subscription.keyOperationProgress': operation,
  'Subscription.membershipEvents': none,
  'Subscription.messageEvents': standing((_, { eventCursor }) => ({ after: eventCursor }))
}
