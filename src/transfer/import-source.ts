import type { FileLine } from './file-lines.js'
import { fileLines, lineText } from './file-lines.js'
import type { OpenedLine } from './open-export.js'
import { checkRecord, type ImportRecord } from './records.js'
import { TransferError } from './transfer-error.js'

/** One line to import. */
export interface SourceLine {
  /** From 1; blank lines of a file are counted and not given. */
  number: number
  /** What makes this line what it is: the position of an import has a hash of all before it. */
  content: Uint8Array | string
  /** The record in it. @throws TransferError LINE */
  read(): ImportRecord | Promise<ImportRecord>
}

/** Where records come from. Read again, it gives the same lines in the same order, or more behind them. */
export interface ImportSource {
  /** What an import is known by: the same name is the same import. */
  name: string
  lines: AsyncIterable<SourceLine>
  /** Whether messages without a word in them may be among them; otherwise such a line is refused. */
  takesBlank?: boolean
}

/** The lines of plain JSON Lines. */
export async function* jsonLines(file: AsyncIterable<Buffer>): AsyncGenerator<SourceLine> {
  for await (const line of fileLines(file)) {
    if (line.bytes.length > 0) yield { number: line.number, content: line.bytes, read: () => parseLine(line) }
  }
}

/** The lines of an opened export. @param after as its manifest has it: sequences are counted from there */
export async function* exportLines(opened: AsyncIterable<OpenedLine>, after: number): AsyncGenerator<SourceLine> {
  for await (const { number, text, value } of opened) {
    yield { number, content: text, read: () => countedFrom(after, requireRecord(number, value)) }
  }
}

/** A conversation begins with the sequence 1, also where what was before is not in the export. */
function countedFrom(after: number, record: ImportRecord): ImportRecord {
  if (record.type === 'message' && record.sequence !== undefined)
    return { ...record, sequence: record.sequence - after }
  if (record.type !== 'member') return record
  const { visibleAfter, lastReadSequence } = record
  return {
    ...record,
    visibleAfter: Math.max(0, visibleAfter - after),
    lastReadSequence: Math.max(0, lastReadSequence - after)
  }
}

/** `{"` in base64url, with which the header of a JWE begins. */
const JWE_BEGIN = 'eyJ'

function parseLine(line: FileLine): ImportRecord {
  const text = lineText(line)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The words of the parser have pieces of the text in them.
    const words = text.startsWith(JWE_BEGIN)
      ? 'The line is that of an export: name with --key the private key that opens it.'
      : 'The line is not JSON.'
    throw new TransferError('LINE', words, line.number)
  }
  return requireRecord(line.number, value)
}

function requireRecord(number: number, value: unknown): ImportRecord {
  const record = checkRecord(value)
  if ('problem' in record) throw new TransferError('LINE', `The line is no record: ${record.problem}.`, number)
  return record
}
