import { compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { bytesOf, readVectors } from '../../../scripts/vectors/vector-files.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import { TransferError } from '../../../src/transfer/transfer-error.js'
import { drained, fileOf } from '../../support/transfer/files.js'

const vectors = readVectors('exports').map((vector) => [vector.name, vector] as const)

describe('an export that was not to be opened once is refused', () => {
  it.each(vectors.filter(([, { result }]) => result === 'invalid'))('%s', async (_, { file, privateKey }) => {
    const opening = drained(openExport(fileOf(file), await readPrivateKey(privateKey)))
    await expect(opening).rejects.toBeInstanceOf(TransferError)
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
