import type { OpenedDataKey } from '../conversation-key/keyring.js'
import { titleAssociatedData } from '../crypto/associated-data.js'
import { decryptText } from '../crypto/decrypt-text.js'
import { encryptText } from '../crypto/encrypt-text.js'
import { DecryptionError } from '../crypto/errors.js'
import type { DataKey } from '../crypto/keys.js'
import type { Conversation } from '../database/entities.js'
import { BadUserInput, ConclaveError, KeyDestroyed, KeyUnavailable } from '../errors.js'
import type { Logger } from '../log.js'
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
    title: encryptText(key.dataKey, title, context),
    titleDataKeyId: key.dataKeyId,
    titleRevision: revision
  }
}

type Titled = TitleColumns & { id: string }

/** @throws KeyDestroyed or KeyUnavailable when the title cannot be opened */
export async function openTitle(
  services: Pick<Services, 'keyring' | 'log'>,
  conversation: Titled
): Promise<string | null> {
  const [title = null] = await openTitles(services, [conversation])
  if (title instanceof ConclaveError) throw title
  return title
}

/**
 * Opens the titles of any conversations with one key look-up for all of them.
 *
 * @returns in order, each title, or KeyDestroyed or KeyUnavailable for one that cannot be opened
 */
export async function openTitles(
  { keyring, log }: Pick<Services, 'keyring' | 'log'>,
  conversations: readonly Titled[]
): Promise<(string | null | ConclaveError)[]> {
  const titled = conversations.filter(hasTitle)
  const keys = await keyring.open(
    titled.map(({ id, titleDataKeyId }) => ({ conversationId: id, dataKeyId: titleDataKeyId }))
  )
  const titles = new Map<Titled, string | ConclaveError>(
    titled.map((conversation, index) => [conversation, openOne(log, conversation, keys[index])])
  )
  return conversations.map((conversation) => titles.get(conversation) ?? null)
}

type TitledConversation = Titled & { title: Buffer; titleDataKeyId: string }

function hasTitle(conversation: Titled): conversation is TitledConversation {
  return conversation.title !== null && conversation.titleDataKeyId !== null
}

function openOne(
  log: Logger,
  conversation: TitledConversation,
  key: OpenedDataKey | undefined
): string | ConclaveError {
  if (key?.state === 'DESTROYED') return new KeyDestroyed()
  if (key?.state !== 'OPEN') return new KeyUnavailable()
  return decryptTitle(log, conversation, key.dataKey) ?? new KeyUnavailable()
}

/** @returns null where there is none, or it is not what was encrypted under this key */
export function decryptTitle(log: Logger, conversation: Titled, dataKey: DataKey): string | null {
  if (!hasTitle(conversation)) return null
  const { id: conversationId, title, titleDataKeyId: dataKeyId, titleRevision: revision } = conversation
  try {
    const context = titleAssociatedData({ conversationId, dataKeyId, revision })
    return decryptText(dataKey, title, context)
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error
    log.error({ conversationId, dataKeyId }, 'title fails authentication')
    return null
  }
}
