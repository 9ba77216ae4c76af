import { Field, ID, InputType, Int, ObjectType } from 'type-graphql'
import type { Verification } from '../../conversation-key/verify-key-events.js'
import type { ConversationKey, KeyState } from '../../database/entities.js'
import type { DueRotations } from '../../key-life/count-due-rotations.js'
import type { KeyHealth, MasterKeyCensus } from '../../key-life/key-census.js'
import { DateTime } from '../scalars.js'
import { ConversationKeyType } from './conversation-key.js'
import { KeyStateEnum } from './enums.js'

@ObjectType('MasterKey')
class MasterKeyType implements MasterKeyCensus {
  @Field(() => String, { description: '"local:2026-11"' })
  uri!: string

  @Field(() => Boolean, { description: 'New private keys are wrapped under it.' })
  current!: boolean

  @Field(() => Int, { description: 'Private keys that would be lost with it.' })
  wrappedKeyCount!: number

  @Field(() => Boolean, { description: 'Not current, and wrappedKeyCount is 0.' })
  safeToRetire!: boolean

  @Field(() => Boolean)
  reachable!: boolean
}

@ObjectType('KeyHealth')
export class KeyHealthType implements KeyHealth {
  @Field(() => Int)
  activeKeys!: number

  @Field(() => Int, { description: 'Active, past rotatesAt, and used since activation.' })
  overdueRotations!: number

  @Field(() => Int)
  overdueDestructions!: number

  @Field(() => Int)
  compromisedKeys!: number

  @Field(() => Int)
  pooledKeys!: number

  @Field(() => [MasterKeyType])
  masterKeys!: MasterKeyType[]
}

@ObjectType('DueRotations')
export class DueRotationsType implements DueRotations {
  @Field(() => Int, { description: 'Past rotatesAt, as in KeyHealth.overdueRotations.' })
  overdue!: number

  @Field(() => [Int], { description: 'Of the next 30 days, each of 24 hours from now on.' })
  days!: number[]

  @Field(() => Int)
  later!: number
}

@InputType()
export class KeyInventoryFilter {
  @Field(() => [KeyStateEnum], { nullable: true })
  states!: KeyState[] | null

  @Field(() => Boolean, { nullable: true })
  overdue!: boolean | null

  @Field(() => String, { nullable: true })
  masterKey!: string | null
}

@ObjectType()
export class KeyInventoryEntry {
  @Field(() => ID)
  conversationId!: string

  @Field(() => ConversationKeyType)
  key!: ConversationKey
}

@ObjectType('KeyEvent')
export class KeyEventType {
  @Field(() => Int)
  sequence!: number

  @Field(() => DateTime)
  at!: Date

  @Field(() => String, { description: 'User id, or "scheduler".' })
  actor!: string

  @Field(() => String, { description: '"key.activated", "key.destroyed", …' })
  action!: string

  @Field(() => ID, { nullable: true })
  conversationId!: string | null

  @Field(() => Int, { nullable: true })
  keyVersion!: number | null

  @Field(() => String, { nullable: true })
  detail!: string | null
}

@InputType('KeyEventFilter', { description: 'Events that are as every part says.' })
export class KeyEventFilterInput {
  @Field(() => String, { nullable: true, description: 'As in KeyEvent.action.' })
  action!: string | null

  @Field(() => String, { nullable: true, description: 'As in KeyEvent.actor.' })
  actor!: string | null
}

@ObjectType()
export class AuditVerification implements Verification {
  @Field(() => Boolean)
  valid!: boolean

  @Field(() => Int)
  checked!: number

  @Field(() => Int, { nullable: true })
  firstInvalidSequence!: number | null
}
