import { Field, ID, ObjectType } from 'type-graphql'
import type { MembershipChange } from '../../delivery/membership-stream.js'

@ObjectType()
export class MembershipEvent implements MembershipChange {
  @Field(() => [ID], { description: 'Conversations that the viewer is in from now on, or in again.' })
  joined!: string[]

  @Field(() => [ID], { description: 'Conversations that the viewer has left or was removed from, and deleted ones.' })
  left!: string[]

  @Field(() => [ID], {
    description: 'Conversations in which the viewer has marked messages as read, in whatever window. Never replayed.'
  })
  read!: string[]
}
