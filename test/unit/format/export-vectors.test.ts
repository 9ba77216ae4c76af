import { compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { bytesOf, readVectors } from '../../../scripts/vectors/vector-files.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import { TransferError } from '../../../src/transfer/transfer-error.js'
import { drained, fileOf } from '../../support/transfer/files.js'
import { rejectionOf } from '../failures.js'

const CHANGED = 'FORMAT: The export was changed, or put together from several.'
const NO_EXPORT = 'FORMAT: This is not an export of Conclave.'
const CUT_OFF = 'FORMAT: The export ends in the middle'
const LATER_VERSION = 'FORMAT: The export has version 2 of the format; this program reads 1.'
const OF_ANOTHER_KEY = 'KEY: The export was made for the key '
const NO_RECORD = 'LINE: The line is not a record of this format.'
const NOT_SIGNED = 'MANIFEST: The manifest is not one of this format, or its signature is wrong.'
const differs = (what: string) => `MANIFEST: The ${what} in the manifest is not that of the file.`

/** What is said of a case whose name begins so; of others that the file was changed. */
const SAID: [name: string, words: string][] = [
  ['made for another key', OF_ANOTHER_KEY],
  ['head: protected header changed', OF_ANOTHER_KEY],
  ['head: the name of another key', OF_ANOTHER_KEY],
  ['empty', NO_EXPORT],
  ['no JWE at all', NO_EXPORT],
  ['head: another typ', NO_EXPORT],
  ['the head alone', CUT_OFF],
  ['without its last chunk', CUT_OFF],
  ['cut off within its last line', `${CUT_OFF} of a line: it was cut off.`],
  ['something behind its end', 'FORMAT: Something follows the end of the export.'],
  ['head: version 2', LATER_VERSION],
  // The manifest stands where a record would.
  ['chunk: none is the last', NO_RECORD],
  ['a record of an unknown type', NO_RECORD],
  ['a line that is no JSON', NO_RECORD],
  ['no manifest', 'MANIFEST: The export has no manifest at its end.'],
  ['a record changed', differs('hash')],
  ['a record left out', differs('hash')],
  ['two records exchanged', differs('hash')],
  ['manifest: another export', differs('id')],
  ['manifest: another recipient', differs('recipient')],
  ['manifest: another number of lines', differs('count')],
  ['manifest: other counts', differs('count')],
  ['manifest: fewer that could not be opened', differs('count')],
  ['manifest: another hash', differs('hash')],
  ['manifest: ', NOT_SIGNED]
]

const vectors = readVectors('exports').map((vector) => [vector.name, vector] as const)

describe('an export that was not to be opened once is refused, for what it is', () => {
  it.each(vectors.filter(([, { result }]) => result === 'invalid'))('%s', async (name, { file, privateKey }) => {
    const [, words = CHANGED] = SAID.find(([begin]) => name.startsWith(begin)) ?? []
    const error = await rejectionOf(drained(openExport(fileOf(file), await readPrivateKey(privateKey))))
    expect(error).toBeInstanceOf(TransferError)
    const { code, message } = error as TransferError
    expect(`${code}: ${message}`.startsWith(words), message).toBe(true)
  })
})

describe('an export that was written once', () => {
  it.each(vectors.filter(([, { result }]) => result === 'valid'))('opens: %s', async (_, vector) => {
    const { file, privateKey, contentKey, records, signedBy } = vector
    const { yielded, returned } = await drained(openExport(fileOf(file), await readPrivateKey(privateKey)))
    expect(yielded.map(({ value }) => value)).toEqual(records)
    expect(returned.signedBy).toBe(signedBy)
    // For whoever follows the steps one by one.
    const chunk = await compactDecrypt(file[1]?.trim() ?? '', bytesOf(contentKey ?? ''))
    expect(chunk.protectedHeader).toMatchObject({ export: returned.manifest.exportId, seq: 1 })
  })
})
