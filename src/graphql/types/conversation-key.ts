import { Field, ID, Int, ObjectType } from 'type-graphql'
import type { ConversationKey, KeyState, RotationReason } from '../../database/entities.js'
import { DateTime } from '../scalars.js'
import { KeyStateEnum, RotationReasonEnum } from './enums.js'

/** Fields that the row of a key version has under the same name; the others have resolvers. */
@ObjectType('ConversationKey')
export class ConversationKeyType {
  @Field(() => Int, { description: '1, 2, 3 …' })
  version!: number

  @Field(() => KeyStateEnum)
  state!: KeyState

  @Field(() => Int)
  modulusBits!: number

  @Field(() => RotationReasonEnum)
  rotationReason!: RotationReason

  @Field(() => DateTime)
  createdAt!: Date

  @Field(() => DateTime, { nullable: true })
  activatedAt!: Date | null

  @Field(() => DateTime, { nullable: true, description: 'End of the originator-usage period.' })
  rotatesAt!: Date | null

  @Field(() => DateTime, { nullable: true })
  deactivatedAt!: Date | null

  @Field(() => DateTime, {
    nullable: true,
    description: 'End of the recipient-usage period, or the scheduled destruction.'
  })
  destroysAt!: Date | null

  @Field(() => DateTime, { nullable: true })
  destroyedAt!: Date | null
}

@ObjectType()
export class KeyPayload {
  @Field(() => ID)
  conversationId!: string

  @Field(() => ConversationKeyType)
  key!: ConversationKey
}
