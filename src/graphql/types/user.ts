import { Field, ID, ObjectType } from 'type-graphql'
import { NodeType } from './node.js'

@ObjectType('User', { implements: NodeType })
export class UserType implements NodeType {
  @Field(() => ID, { description: 'The `sub` of the bearer token.' })
  id!: string

  @Field(() => String, { description: "The token's `name` claim, or the id." })
  name!: string
}
