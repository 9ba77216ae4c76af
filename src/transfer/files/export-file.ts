import type { ExportSubject } from '../export-format.js'
import { type ExportServices, exportConversation, exportUser } from '../export-records.js'
import type { ReportRecords } from '../seal-export.js'
import { recipientFrom } from './given-files.js'
import { writeThrough, writeWhole } from './write-whole.js'

export interface ExportedFile {
  subject: ExportSubject
  /** File of the public key that it is made for. */
  recipient: string
  /** Null: standard output. */
  out: string | null
  actor: string
  begun?: (messages: number) => void
  report?: ReportRecords
}

/** Writes an export. @throws TransferError, NotFound, KeyUnavailable, BadUserInput */
export async function exportFile(services: ExportServices, { subject, out, ...file }: ExportedFile): Promise<void> {
  const order = { ...file, recipient: await recipientFrom(file.recipient) }
  const lines =
    'userId' in subject
      ? exportUser(services, subject.userId, order)
      : exportConversation(services, subject.conversationId, order)
  await (out === null ? writeThrough(process.stdout, lines) : writeWhole(out, lines))
}
