import { Field, ID, InputType, Int, ObjectType } from 'type-graphql'
import type { KeyPolicy, KeyPolicyDraft } from '../../conversation-key/key-policy.js'
import { Duration } from '../scalars.js'

@ObjectType('KeyPolicy')
export class KeyPolicyType implements KeyPolicy {
  @Field(() => Duration, { nullable: true, description: 'Originator-usage period; null: never by time.' })
  rotateAfter!: string | null

  @Field(() => Int, { nullable: true, description: 'Null: never by count.' })
  rotateAfterMessages!: number | null

  @Field(() => Duration, { nullable: true, description: 'Recipient-usage period after deactivation; null: keep.' })
  destroyAfter!: string | null

  @Field(() => Boolean)
  rotateOnMemberRemoval!: boolean
}

@InputType({ description: "What is left out stays as it is, or follows the deployment's default; null means never." })
export class KeyPolicyInput implements KeyPolicyDraft {
  @Field(() => Duration, { nullable: true })
  rotateAfter?: string | null

  @Field(() => Int, { nullable: true })
  rotateAfterMessages?: number | null

  @Field(() => Duration, { nullable: true })
  destroyAfter?: string | null

  @Field(() => Boolean, { nullable: true })
  rotateOnMemberRemoval?: boolean | null
}

@ObjectType()
export class KeyPolicyPayload {
  @Field(() => ID)
  conversationId!: string

  @Field(() => KeyPolicyType)
  keyPolicy!: KeyPolicy
}
