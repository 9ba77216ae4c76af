import { Extensions, Field, ID, InputType, ObjectType } from 'type-graphql'
import type { HistoryVisibility, MemberRole } from '../../database/entities.js'
import { DateTime } from '../scalars.js'
import { SAME_FOR_ALL } from '../share-key.js'
import { HistoryVisibilityEnum, MemberRoleEnum } from './enums.js'
import { KeyPolicyInput } from './key-policy.js'
import { NodeType } from './node.js'

/** Fields that the row of a viewed conversation has under the same name; the others have resolvers. */
@ObjectType('Conversation', { implements: NodeType })
export class ConversationType implements NodeType {
  @Extensions(SAME_FOR_ALL)
  @Field(() => ID)
  id!: string

  @Field(() => DateTime)
  createdAt!: Date

  @Field(() => HistoryVisibilityEnum)
  historyVisibility!: HistoryVisibility

  @Field(() => MemberRoleEnum)
  viewerRole!: MemberRole
}

@InputType()
export class CreateConversationInput {
  @Field(() => String, { nullable: true })
  title!: string | null

  @Field(() => [ID], { description: 'User ids of the other members; the viewer becomes the owner.' })
  memberIds!: string[]

  @Field(() => HistoryVisibilityEnum, { nullable: true, defaultValue: 'FULL' })
  historyVisibility!: HistoryVisibility | null

  @Field(() => KeyPolicyInput, { nullable: true })
  keyPolicy!: KeyPolicyInput | null
}

@ObjectType()
export class ConversationPayload {
  @Field(() => ConversationType)
  conversation!: ConversationType
}

@ObjectType()
export class ReadPayload {
  @Field(() => ConversationType)
  conversation!: ConversationType
}
