import { Field, ObjectType } from 'type-graphql'
import { DateTime } from '../scalars.js'

@ObjectType()
export class DevToken {
  @Field(() => String)
  token!: string

  @Field(() => DateTime)
  expiresAt!: Date
}
