import { createUnionType, Field, Int, ObjectType } from 'type-graphql'
import type { NamedUser } from '../../identity/users.js'
import { UserType } from './user.js'

@ObjectType()
export class TypingActivity {
  @Field(() => UserType)
  user!: NamedUser

  @Field(() => Boolean, { description: 'It becomes false by itself after six seconds in which nobody said otherwise.' })
  typing!: boolean
}

@ObjectType()
export class ReadActivity {
  @Field(() => UserType)
  user!: NamedUser

  @Field(() => Int)
  sequence!: number
}

export const ActivityUnion = createUnionType({
  name: 'Activity',
  types: () => [TypingActivity, ReadActivity] as const,
  resolveType: (value) => ('typing' in value ? TypingActivity : ReadActivity)
})
