import {
  Arg,
  Args,
  Ctx,
  Extensions,
  FieldResolver,
  ID,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription
} from 'type-graphql'
import type { ViewedConversation } from '../../conversation/viewed-conversation.js'
import { findKeyPolicy } from '../../conversation-key/find-key-policy.js'
import { requireKeyEventFilter } from '../../conversation-key/key-event-filter.js'
import type { KeyEvent } from '../../conversation-key/key-events.js'
import { effectivePolicy } from '../../conversation-key/key-policy.js'
import { requireAuditor } from '../../conversation-key/key-rights.js'
import {
  countKeyEvents,
  type ListedKeyEvent,
  listKeyEvents,
  listKeyEventsOf
} from '../../conversation-key/list-key-events.js'
import { listKeysOf } from '../../conversation-key/list-keys.js'
import { setKeyPolicy } from '../../conversation-key/set-key-policy.js'
import { verifyKeyEvents } from '../../conversation-key/verify-key-events.js'
import type { ConversationKey } from '../../database/entities.js'
import { operationProgress } from '../../delivery/operation-progress.js'
import type { Viewer } from '../../identity/viewer.js'
import { cancelKeyOperation, pauseKeyOperation, resumeKeyOperation } from '../../key-life/control-operation.js'
import { countDueRotations } from '../../key-life/count-due-rotations.js'
import { cancelKeyDestruction, scheduleKeyDestruction } from '../../key-life/destroy-key.js'
import { keyHealth } from '../../key-life/key-census.js'
import { countInventory, type InventoryFilter, listInventory } from '../../key-life/key-inventory.js'
import { findKeyOperation, type KeyOperation, listKeyOperations } from '../../key-life/key-operations.js'
import { markKeyCompromised } from '../../key-life/mark-compromised.js'
import { reencryptConversation } from '../../key-life/reencrypt-data-keys.js'
import { rewrapPrivateKeys } from '../../key-life/rewrap-private-keys.js'
import { rotateDueKeys } from '../../key-life/rotate-due-keys.js'
import { connectionTypes, toConnection } from '../connection.js'
import { type Context, requireViewer } from '../context.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { requireConversationId, requireOperationId } from '../ids.js'
import { DESCRIPTION_OF_KEYS, KeyVersions, WHOLE_UP_TO_A_PAGE } from '../key-versions.js'
import { requirePageSize } from '../page-size.js'
import { Duration } from '../scalars.js'
import { ConversationType } from '../types/conversation.js'
import { ConversationKeyType, KeyPayload } from '../types/conversation-key.js'
import {
  AuditVerification,
  DueRotationsType,
  KeyEventFilterInput,
  KeyEventType,
  KeyHealthType,
  KeyInventoryEntry,
  KeyInventoryFilter
} from '../types/key-census.js'
import { KeyOperationPayload, KeyOperationType } from '../types/key-operation.js'
import { KeyPolicyInput, KeyPolicyPayload, KeyPolicyType } from '../types/key-policy.js'
import { WEIGHT } from '../weights.js'

const KeyInventoryConnection = connectionTypes('KeyInventory', () => KeyInventoryEntry)
const KeyEventConnection = connectionTypes('KeyEvent', () => KeyEventType)

/** What auditors see: scope keys:read. None of it shows a message, a title or a member. */
@Resolver(() => KeyEventType)
export class KeyCensusResolver {
  @Query(() => KeyHealthType, { complexity: WEIGHT.census })
  async keyHealth(@Ctx() context: Context): Promise<KeyHealthType> {
    await requireReader(context, 'keyHealth')
    const { database, masterKeyHealth, clock } = context.services
    return await keyHealth({ database, masterKeyHealth, now: clock.now() })
  }

  @Query(() => DueRotationsType, {
    complexity: WEIGHT.census,
    description: 'How many active keys that were used since activation have a rotatesAt, by when it is.'
  })
  async dueRotations(@Ctx() context: Context): Promise<DueRotationsType> {
    await requireReader(context, 'dueRotations')
    const { database, clock } = context.services
    return await countDueRotations({ database, now: clock.now() })
  }

  @Extensions(WHOLE_UP_TO_A_PAGE)
  @Query(() => [ConversationKeyType], { description: DESCRIPTION_OF_KEYS })
  async conversationKeys(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Args(() => KeyVersions) versions: KeyVersions
  ): Promise<ConversationKey[]> {
    const id = requireConversationId('conversationId', conversationId)
    await requireReader(context, 'conversationKeys', id)
    return await versions.read((range) => listKeysOf(context.services, id, range))
  }

  @Query(() => KeyPolicyType, {
    nullable: true,
    description: 'The policy of any conversation; null when absent. Scope keys:read.'
  })
  async conversationKeyPolicy(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string
  ): Promise<KeyPolicyType | null> {
    const id = requireConversationId('conversationId', conversationId)
    await requireReader(context, 'conversationKeyPolicy', id)
    return await findKeyPolicy(context.services, id)
  }

  @Query(() => KeyInventoryConnection)
  async keyInventory(
    @Ctx() context: Context,
    @Arg('filter', () => KeyInventoryFilter, { nullable: true }) filter: KeyInventoryFilter | null,
    @Arg('first', () => Int, { nullable: true, defaultValue: 50 }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null
  ): Promise<InstanceType<typeof KeyInventoryConnection>> {
    await requireReader(context, 'keyInventory')
    const { database, clock } = context.services
    const size = requirePageSize('first', first ?? 50)
    const wanted: InventoryFilter = {
      states: filter?.states ?? null,
      overdue: filter?.overdue ?? false,
      masterKey: filter?.masterKey ?? null
    }
    const [conversationId, version] = after == null ? [] : decodeCursor('key', '', 'after', after).split(' ')
    const position = conversationId ? { conversationId, version: Number(version) } : null
    const at = { database, now: clock.now() }
    const found = await listInventory(at, wanted, size + 1, position)
    const nodes = found.slice(0, size).map((key) => ({ conversationId: key.conversationId, key }))
    const page = { nodes, hasNextPage: found.length > size, hasPreviousPage: position !== null }
    const cursorOf = ({ key }: KeyInventoryEntry) => encodeCursor('key', '', `${key.conversationId} ${key.version}`)
    return KeyInventoryConnection.of(toConnection(page, cursorOf, () => countInventory(at, wanted)))
  }

  @Query(() => KeyEventConnection, {
    description:
      'Of one conversation in the order of their sequence; of all in that of time. Each is listed once. A cursor says how far the trail was read: it may be passed on beside another filter.'
  })
  async keyEvents(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID, { nullable: true }) conversationId: string | null,
    @Arg('first', () => Int, { nullable: true, defaultValue: 50 }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null,
    @Arg('filter', () => KeyEventFilterInput, { nullable: true }) filter: KeyEventFilterInput | null
  ): Promise<InstanceType<typeof KeyEventConnection>> {
    const id = conversationId == null ? null : requireConversationId('conversationId', conversationId)
    await requireReader(context, 'keyEvents', id ?? undefined)
    const { services } = context
    const size = requirePageSize('first', first ?? 50)
    const wanted = requireKeyEventFilter('filter', { action: filter?.action ?? null, actor: filter?.actor ?? null })
    const position = after == null ? null : decodeCursor('key-event', id ?? '', 'after', after)
    const found = await (id === null
      ? listKeyEvents(services, position, size + 1, wanted)
      : listKeyEventsOf(services, id, position, size + 1, wanted))
    const page = { nodes: found.slice(0, size), hasNextPage: found.length > size, hasPreviousPage: position !== null }
    const cursorOf = (event: ListedKeyEvent) => encodeCursor('key-event', id ?? '', event.position)
    return KeyEventConnection.of(toConnection(page, cursorOf, () => countKeyEvents(services, id, wanted)))
  }

  @FieldResolver(() => String, { description: 'Lower-case hex SHA-256 over this record and the previous hash.' })
  hash(@Root() { hash }: KeyEvent): string {
    return hash.toString('hex')
  }

  @Query(() => AuditVerification, {
    complexity: WEIGHT.auditTrail,
    description: 'Computes every hash of the audit trail anew.'
  })
  async verifyKeyEvents(@Ctx() context: Context): Promise<AuditVerification> {
    await requireReader(context, 'verifyKeyEvents')
    const { services } = context
    const verification = await verifyKeyEvents(services)
    services.metrics.audit.verified(verification.valid, services.clock.now())
    return verification
  }
}

@Resolver(() => KeyOperationType)
export class KeyOperationResolver {
  @Query(() => KeyOperationType, { nullable: true })
  async keyOperation(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<KeyOperation | null> {
    await requireReader(context, 'keyOperation')
    return await findKeyOperation(context.services, requireOperationId('id', id))
  }

  @Query(() => [KeyOperationType], {
    description: 'The latest first; `after` is the id of the last one of the page before.'
  })
  async keyOperations(
    @Ctx() context: Context,
    @Arg('first', () => Int, { nullable: true, defaultValue: 20 }) first: number | null,
    @Arg('after', () => String, { nullable: true }) after: string | null
  ): Promise<KeyOperation[]> {
    await requireReader(context, 'keyOperations')
    const position = after == null ? null : requireOperationId('after', after)
    return await listKeyOperations(context.services, requirePageSize('first', first ?? 20), position)
  }

  @Subscription(() => KeyOperationType, {
    description:
      'The operation as it stands, and again whenever it has moved on, until it has finished. Scope keys:read.',
    subscribe: async ({ args, context }: { args: { id: string }; context: Context }) =>
      await operationProgress(
        context.services,
        await requireReader(context, 'keyOperationProgress'),
        requireOperationId('id', args.id)
      )
  })
  keyOperationProgress(@Root() operation: KeyOperation, @Arg('id', () => ID) _id: string): KeyOperation {
    return operation
  }

  @Mutation(() => KeyOperationPayload)
  async cancelKeyOperation(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<KeyOperationPayload> {
    return {
      operation: await cancelKeyOperation(context.services, requireViewer(context), requireOperationId('id', id))
    }
  }

  @Mutation(() => KeyOperationPayload, {
    description: 'Takes no further step of the operation until it is resumed. Scope keys:admin.'
  })
  async pauseKeyOperation(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<KeyOperationPayload> {
    const viewer = requireViewer(context)
    return { operation: await pauseKeyOperation(context.services, viewer, requireOperationId('id', id)) }
  }

  @Mutation(() => KeyOperationPayload, { description: 'Goes on with a paused operation. Scope keys:admin.' })
  async resumeKeyOperation(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<KeyOperationPayload> {
    const viewer = requireViewer(context)
    return { operation: await resumeKeyOperation(context.services, viewer, requireOperationId('id', id)) }
  }

  @Mutation(() => KeyOperationPayload, {
    description:
      'Moves every private key to the present version of the current master key, from whichever it is under. A dry run tries all of it and stores nothing. Scope keys:admin.'
  })
  async rewrapPrivateKeys(
    @Ctx() context: Context,
    @Arg('dryRun', () => Boolean, { nullable: true, defaultValue: false }) dryRun: boolean | null
  ): Promise<KeyOperationPayload> {
    return { operation: await rewrapPrivateKeys(context.services, requireViewer(context), { dryRun: dryRun ?? false }) }
  }

  @Mutation(() => KeyOperationPayload, {
    description: 'Has every key that is due and used rotated now. Scope keys:admin.'
  })
  async rotateDueKeys(@Ctx() context: Context): Promise<KeyOperationPayload> {
    return { operation: await rotateDueKeys(context.services, requireViewer(context)) }
  }

  @Mutation(() => KeyOperationPayload, {
    description: 'Wraps the data keys of an old version under the active one. Scope keys:admin.'
  })
  async reencryptConversation(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('fromVersion', () => Int) fromVersion: number
  ): Promise<KeyOperationPayload> {
    const id = requireConversationId('conversationId', conversationId)
    return { operation: await reencryptConversation(context.services, requireViewer(context), id, fromVersion) }
  }
}

/** What is done with the keys of one conversation: by its owner, or by an administrator of keys. */
@Resolver(() => ConversationType)
export class KeyLifeResolver {
  @FieldResolver(() => KeyPolicyType)
  keyPolicy(@Root() { keyPolicy }: ViewedConversation, @Ctx() { services }: Context): KeyPolicyType {
    return effectivePolicy(services.config.keyPolicy, keyPolicy)
  }

  @Mutation(() => KeyPolicyPayload, { description: 'For the owner of the conversation, or scope keys:admin.' })
  async setKeyPolicy(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('policy', () => KeyPolicyInput) policy: KeyPolicyInput
  ): Promise<KeyPolicyPayload> {
    const id = requireConversationId('conversationId', conversationId)
    return { conversationId: id, keyPolicy: await setKeyPolicy(context.services, requireViewer(context), id, policy) }
  }

  @Mutation(() => KeyPayload, {
    complexity: WEIGHT.keyPair,
    description: 'Rotates, re-encrypts what lies under the version, then destroys it. Scope keys:admin.'
  })
  async markKeyCompromised(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('version', () => Int) version: number
  ): Promise<KeyPayload> {
    const target = targetOf(conversationId, version)
    const { key } = await markKeyCompromised(context.services, requireViewer(context), target)
    return { conversationId: target.conversationId, key }
  }

  @Mutation(() => KeyPayload, {
    description: 'The version opens nothing any more, and is destroyed when the time is over. Scope keys:admin.'
  })
  async scheduleKeyDestruction(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('version', () => Int) version: number,
    @Arg('after', () => Duration, { defaultValue: 'P7D' }) after: string
  ): Promise<KeyPayload> {
    const target = targetOf(conversationId, version)
    return {
      conversationId: target.conversationId,
      key: await scheduleKeyDestruction(context.services, requireViewer(context), target, after)
    }
  }

  @Mutation(() => KeyPayload, {
    description:
      'Restores the state before, until the destruction. The version then stays until somebody schedules its destruction again, or sets destroyAfter. Scope keys:admin.'
  })
  async cancelKeyDestruction(
    @Ctx() context: Context,
    @Arg('conversationId', () => ID) conversationId: string,
    @Arg('version', () => Int) version: number
  ): Promise<KeyPayload> {
    const target = targetOf(conversationId, version)
    return {
      conversationId: target.conversationId,
      key: await cancelKeyDestruction(context.services, requireViewer(context), target)
    }
  }
}

function targetOf(conversationId: string, version: number) {
  return { conversationId: requireConversationId('conversationId', conversationId), version }
}

async function requireReader(context: Context, operation: string, conversationId?: string): Promise<Viewer> {
  const viewer = requireViewer(context)
  const { services, address } = context
  await requireAuditor(services, viewer, { operation, ...(conversationId && { conversationId }) }, address)
  return viewer
}
