import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql'
import type { KeyOperation, KeyOperationKind, KeyOperationState } from '../../key-life/key-operations.js'
import { DateTime } from '../scalars.js'
import { names } from './enums.js'
import { NodeType } from './node.js'

const KeyOperationKindEnum = names<KeyOperationKind>({
  ROTATE_DUE: 'ROTATE_DUE',
  DESTROY_DUE: 'DESTROY_DUE',
  REWRAP: 'REWRAP',
  REENCRYPT: 'REENCRYPT',
  REFILL_POOL: 'REFILL_POOL',
  PURGE: 'PURGE',
  EXPORT: 'EXPORT'
})
registerEnumType(KeyOperationKindEnum, { name: 'KeyOperationKind' })

export const KeyOperationStateEnum = names<KeyOperationState>({
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED'
})
registerEnumType(KeyOperationStateEnum, { name: 'KeyOperationState' })

@ObjectType('KeyOperation', { implements: NodeType })
export class KeyOperationType implements NodeType {
  @Field(() => ID)
  id!: string

  @Field(() => KeyOperationKindEnum)
  kind!: KeyOperationKind

  @Field(() => KeyOperationStateEnum)
  state!: KeyOperationState

  @Field(() => Int)
  total!: number

  @Field(() => Int)
  done!: number

  @Field(() => Int)
  failed!: number

  @Field(() => String, { nullable: true })
  error!: string | null

  @Field(() => String, { nullable: true, description: 'Of a rewrap: URI of the master key to move to.' })
  target!: string | null

  @Field(() => Boolean, { description: 'It only tries what it would do, and changes nothing.' })
  dryRun!: boolean

  @Field(() => DateTime)
  createdAt!: Date

  @Field(() => DateTime, { nullable: true })
  startedAt!: Date | null

  @Field(() => DateTime, { nullable: true, description: 'Set while it is paused.' })
  pausedAt!: Date | null

  @Field(() => DateTime, { nullable: true })
  finishedAt!: Date | null
}

@ObjectType()
export class KeyOperationPayload {
  @Field(() => KeyOperationType)
  operation!: KeyOperation
}
