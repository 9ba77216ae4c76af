import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql'
import { type EnvelopeParts, findStoredMessage } from '../../message/stored-message.js'
import { type Context, requireViewer } from '../context.js'
import { requireMessageId } from '../ids.js'
import { type StoredEnvelopeType, StoredMessageType } from '../types/stored-message.js'

/** Part of the schema in development only. */
@Resolver()
export class StoredMessageResolver {
  @Query(() => StoredMessageType, {
    nullable: true,
    description:
      'The bytes of a message that the viewer may see, as the database holds them; null for any other. Development mode only.'
  })
  async storedMessage(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<StoredMessageType | null> {
    const stored = await findStoredMessage(context.services, requireViewer(context), requireMessageId('id', id))
    if (!stored) return null
    const { envelope, wrappedDataKey } = stored
    return {
      ...stored,
      envelope: envelope && inHex(envelope),
      wrappedDataKey: wrappedDataKey?.toString('hex') ?? null
    }
  }
}

function inHex({ format, suite, suiteName, nonce, ciphertext, tag }: EnvelopeParts): StoredEnvelopeType {
  const hex = (bytes: Buffer) => bytes.toString('hex')
  return {
    format: hex(format),
    suite: hex(suite),
    suiteName,
    nonce: hex(nonce),
    ciphertext: hex(ciphertext),
    tag: hex(tag)
  }
}
