import { titleAssociatedData } from '../crypto/associated-data.js'
import { decryptContent, encryptContent } from '../crypto/content-encryption.js'
import { DecryptionError } from '../crypto/errors.js'
import type { DataKey } from '../crypto/keys.js'
import type { Conversation } from '../database/entities.js'
import { BadUserInput, KeyDestroyed, KeyUnavailable } from '../errors.js'
import type { Services } from '../services.js'

const MAX_TITLE_BYTES = 1024

/** @throws BadUserInput naming `field` */
export function requireTitle(field: string, title: string): string {
  if (!title.isWellFormed())
    throw new BadUserInput(field, 'The title is not well-formed Unicode: it has a lone surrogate.')
  if (title.trim() === '')
    throw new BadUserInput(field, 'A title must have a visible character; leave it out for none.')
  if (Buffer.byteLength(title) > MAX_TITLE_BYTES) {
    throw new BadUserInput(field, `A title has at most ${MAX_TITLE_BYTES} bytes in UTF-8.`)
  }
  return title
}

type TitleColumns = Pick<Conversation, 'title' | 'titleDataKeyId' | 'titleRevision'>

/** The columns of a title, encrypted; or of none. */
export function encryptTitle(
  title: string | null,
  conversationId: string,
  revision: number,
  key: { dataKeyId: string; dataKey: DataKey }
): TitleColumns {
  if (title === null) return { title: null, titleDataKeyId: null, titleRevision: revision }
  const context = titleAssociatedData({ conversationId, dataKeyId: key.dataKeyId, revision })
  return {
    title: encryptContent(key.dataKey, Buffer.from(title, 'utf8'), context),
    titleDataKeyId: key.dataKeyId,
    titleRevision: revision
  }
}

/** @throws KeyDestroyed or KeyUnavailable when the title cannot be opened */
export async function openTitle(
  { keyring, log }: Pick<Services, 'keyring' | 'log'>,
  conversation: TitleColumns & { id: string }
): Promise<string | null> {
  const { id, title, titleDataKeyId, titleRevision } = conversation
  if (!title || !titleDataKeyId) return null
  const opened = (await keyring.open(id, [titleDataKeyId])).get(titleDataKeyId)
  if (opened?.state === 'DESTROYED') throw new KeyDestroyed()
  if (opened?.state !== 'OPEN') throw new KeyUnavailable()
  try {
    const context = { conversationId: id, dataKeyId: titleDataKeyId, revision: titleRevision }
    return decryptContent(opened.dataKey, title, titleAssociatedData(context)).toString('utf8')
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error
    log.error({ conversationId: id, dataKeyId: titleDataKeyId }, 'title fails authentication')
    throw new KeyUnavailable()
  }
}
