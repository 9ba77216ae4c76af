import { Field, ID, Int, ObjectType } from 'type-graphql'
import type { KeyState } from '../../database/entities.js'
import { KeyStateEnum } from './enums.js'

const hex = (what: string) => ({ description: `${what}, in lower-case hex.` })

@ObjectType('StoredEnvelope', { description: 'Bytes as they are stored, in the order of these fields.' })
export class StoredEnvelopeType {
  @Field(() => String, hex('One byte: the layout of what follows'))
  format!: string

  @Field(() => String, hex('One byte: the algorithms and their parameters'))
  suite!: string

  @Field(() => String, { description: 'What the suite byte stands for: "A256GCM".' })
  suiteName!: string

  @Field(() => String, hex('12 bytes'))
  nonce!: string

  @Field(() => String, hex('As many bytes as the body has in UTF-8'))
  ciphertext!: string

  @Field(() => String, hex('16 bytes'))
  tag!: string
}

@ObjectType('StoredMessage', { description: 'A message as the database holds it.' })
export class StoredMessageType {
  @Field(() => StoredEnvelopeType, { nullable: true, description: 'Null once the message is deleted.' })
  envelope!: StoredEnvelopeType | null

  @Field(() => Int, { description: '0 as sent, one more with every edit.' })
  revision!: number

  @Field(() => ID)
  dataKeyId!: string

  @Field(() => String, {
    nullable: true,
    description:
      'Envelope of the data key, in lower-case hex; null once the key version that could open it is destroyed.'
  })
  wrappedDataKey!: string | null

  @Field(() => Int)
  keyVersion!: number

  @Field(() => KeyStateEnum)
  keyState!: KeyState
}
