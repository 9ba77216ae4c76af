import { Extensions, Field, ID, ObjectType } from 'type-graphql'
import { SAME_FOR_ALL } from '../share-key.js'
import { NodeType } from './node.js'

@ObjectType('User', { implements: NodeType })
export class UserType implements NodeType {
  @Extensions(SAME_FOR_ALL)
  @Field(() => ID, { description: 'The `sub` of the bearer token.' })
  id!: string

  @Extensions(SAME_FOR_ALL)
  @Field(() => String, { description: "The token's `name` claim, or the id." })
  name!: string
}
