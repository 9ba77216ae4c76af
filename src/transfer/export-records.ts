import { v7 as uuidv7 } from 'uuid'
import type { KeyAction } from '../conversation-key/key-actions.js'
import { appendKeyEvent } from '../conversation-key/key-events.js'
import { requireUserId } from '../identity/user-id.js'
import type { Services } from '../services.js'
import type { ExportSubject } from './export-format.js'
import { type ExportedConversation, readConversation, requireExported } from './read-conversation.js'
import { readUser } from './read-user.js'
import type { RecipientKey } from './recipient-key.js'
import type { ExportRecord } from './records.js'
import { type ReportRecords, sealExport } from './seal-export.js'
import { exportSigner } from './signing-key.js'

export type ExportServices = Pick<
  Services,
  'database' | 'keyring' | 'messageOpener' | 'users' | 'masterKeys' | 'clock' | 'log'
>

/** Who has it made, and for whom. */
export interface ExportOrder {
  /** User id, or `operator:…`, for the audit trail. */
  actor: string
  recipient: RecipientKey
  /** Told once, before the first line, how many messages there are: of a conversation. */
  begun?: (messages: number) => void
  report?: ReportRecords
}

/**
 * Exports a conversation, as far as it goes now. That it is read out is a row in the audit trail before its first line
 * is given, and another behind its last.
 *
 * @param after messages up to this sequence are left out; 0 for none of them
 * @returns the lines of the file
 * @throws NotFound, KeyUnavailable
 */
export async function* exportConversation(
  services: ExportServices,
  conversationId: string,
  order: ExportOrder,
  after = 0
): AsyncGenerator<string> {
  const conversation: ExportedConversation = await requireExported(services, conversationId)
  order.begun?.(conversation.lastSequence - after)
  yield* exportRecords(services, { conversationId }, readConversation(services, conversation, after), order, after)
}

/** Exports everything that one user wrote, for that user. @throws BadUserInput, KeyUnavailable */
export async function* exportUser(
  services: ExportServices,
  userId: string,
  order: ExportOrder
): AsyncGenerator<string> {
  requireUserId('userId', userId)
  yield* exportRecords(services, { userId }, readUser(services, userId), order)
}

async function* exportRecords(
  services: ExportServices,
  subject: ExportSubject,
  records: AsyncIterable<ExportRecord>,
  { actor, recipient, report }: ExportOrder,
  after = 0
): AsyncGenerator<string> {
  const exportId = uuidv7()
  const signer = await exportSigner(services)
  const described = `id=${exportId} for=${recipient.thumbprint}${'userId' in subject ? ` user=${subject.userId}` : ''}`
  const note = (action: KeyAction, detail: string) => recordExport(services, subject, { actor, action, detail })
  let written = 0
  await note('export.started', described)
  const sealed = { exportId, subject, createdAt: services.clock.now(), after, recipient, signer }
  yield* sealExport(sealed, records, (count, messages) => {
    written = count
    report?.(count, messages)
  })
  await note('export.finished', `${described} records=${written}`)
}

async function recordExport(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  subject: ExportSubject,
  event: { actor: string; action: KeyAction; detail: string }
): Promise<void> {
  const conversationId = 'conversationId' in subject ? subject.conversationId : null
  await database.transaction((em) =>
    appendKeyEvent(em, { ...event, at: clock.now(), conversationId, keyVersion: null })
  )
}
