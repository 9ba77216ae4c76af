import { Field, ID, Int, ObjectType } from 'type-graphql'
import type { OrderedExport } from '../../transfer/ordered-exports.js'
import { DateTime } from '../scalars.js'
import { KeyOperationStateEnum } from './key-operation.js'

@ObjectType('ConversationExport', { description: 'A file with all of a conversation that one private key opens.' })
export class ConversationExportType implements Omit<OrderedExport, never> {
  @Field(() => ID)
  id!: string

  @Field(() => ID)
  conversationId!: string

  @Field(() => KeyOperationStateEnum)
  state!: OrderedExport['state']

  @Field(() => Int, { description: 'Messages to export, as many as there were when it was asked for.' })
  total!: number

  @Field(() => Int)
  done!: number

  @Field(() => String, { nullable: true })
  error!: string | null

  @Field(() => DateTime)
  createdAt!: Date

  @Field(() => DateTime, { nullable: true })
  finishedAt!: Date | null

  @Field(() => DateTime, { description: 'It can be fetched until then.' })
  expiresAt!: Date
}

@ObjectType()
export class ConversationExportPayload {
  @Field(() => ConversationExportType)
  export!: ConversationExportType
}
