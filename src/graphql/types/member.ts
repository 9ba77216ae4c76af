import { Field, Int, ObjectType } from 'type-graphql'
import type { MemberRole } from '../../database/entities.js'
import { DateTime } from '../scalars.js'
import { MemberRoleEnum } from './enums.js'

@ObjectType('Member')
export class MemberType {
  userId!: string

  @Field(() => MemberRoleEnum)
  role!: MemberRole

  @Field(() => DateTime)
  joinedAt!: Date

  @Field(() => Int, { description: '0: nothing read yet.' })
  lastReadSequence!: number
}
