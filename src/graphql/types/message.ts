import { Extensions, Field, ID, InputType, Int, ObjectType } from 'type-graphql'
import type { MessageEvent } from '../../delivery/conversation-log.js'
import type { Message } from '../../message/message.js'
import { DateTime } from '../scalars.js'
import { SAME_FOR_ALL } from '../share-key.js'
import { MessageEventTypeEnum, MessageKindEnum } from './enums.js'
import { NodeType } from './node.js'

/** Fields that the row of a message has under the same name; the others have resolvers. */
@ObjectType('Message', { implements: NodeType })
export class MessageType implements NodeType {
  @Extensions(SAME_FOR_ALL)
  @Field(() => ID)
  id!: string

  @Extensions(SAME_FOR_ALL)
  @Field(() => Int, { description: '1, 2, 3 … without gaps within a conversation.' })
  sequence!: number

  @Extensions(SAME_FOR_ALL)
  @Field(() => MessageKindEnum)
  kind!: Message['kind']

  // To every member: who could see only their own would not share what is written out for all.
  @Extensions(SAME_FOR_ALL)
  @Field(() => ID, {
    nullable: true,
    description: 'The id that its sender has given it, for every member to read. Another sender may have used the same.'
  })
  clientMessageId!: string | null

  @Extensions(SAME_FOR_ALL)
  @Field(() => Int, { description: 'The key version that its data key is wrapped under today.' })
  keyVersion!: number

  @Extensions(SAME_FOR_ALL)
  @Field(() => DateTime)
  createdAt!: Date

  @Extensions(SAME_FOR_ALL)
  @Field(() => DateTime, { nullable: true })
  editedAt!: Date | null

  @Extensions(SAME_FOR_ALL)
  @Field(() => DateTime, { nullable: true })
  deletedAt!: Date | null
}

@InputType()
export class SendMessageInput {
  @Field(() => ID)
  conversationId!: string

  @Field(() => String)
  body!: string

  @Field(() => ID, {
    nullable: true,
    description: 'Makes a retry safe: within a conversation, the same id by the same sender never stores twice.'
  })
  clientMessageId!: string | null

  @Field(() => ID, { nullable: true })
  replyToId!: string | null
}

@ObjectType()
export class MessagePayload {
  @Field(() => MessageType)
  message!: Message
}

@ObjectType('MessageEvent')
export class MessageEventType {
  @Extensions(SAME_FOR_ALL)
  @Field(() => String, { description: 'Pass it back as `after` to resume without a gap.' })
  cursor!: string

  @Extensions(SAME_FOR_ALL)
  @Field(() => MessageEventTypeEnum, {
    description:
      'What happened since the cursor before. The message may be new to you whatever this says: put it in the place of what you have under its id.'
  })
  type!: MessageEvent['type']

  @Extensions(SAME_FOR_ALL)
  @Field(() => MessageType)
  message!: Message
}
