import { CompactEncrypt, compactDecrypt } from 'jose'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey } from '../../../src/transfer/recipient-key.js'
import { drained, fileOf } from './files.js'
import type { Recipient } from './recipients.js'

/**
 * What somebody makes who has the recipient's private key: the lines of an export changed, in a file that is one again.
 *
 * @param file its lines
 * @param change of the lines that are in it, of which the last one is the manifest
 * @param named members of the chunk's header in the place of what they were
 */
export async function resealed(
  file: readonly string[],
  { privatePem }: Recipient,
  change: (lines: string[]) => string[],
  named: object = {}
): Promise<string[]> {
  const recipient = await readPrivateKey(privatePem)
  const { yielded, returned } = await drained(openExport(fileOf(file), recipient))
  const [head = ''] = file
  const opened = await compactDecrypt(head.trim(), recipient.key)
  const key = Buffer.from(JSON.parse(Buffer.from(opened.plaintext).toString('utf8')).key.k, 'base64url')
  const { plaintext } = await compactDecrypt((file.at(-1) ?? '').trim(), key)
  const manifest = Buffer.from(plaintext).toString('utf8').trimEnd().split('\n').at(-1) ?? ''
  const text = `${change([...yielded.map((line) => line.text), manifest]).join('\n')}\n`
  const header = { alg: 'dir', enc: 'A256GCM', export: returned.manifest.exportId, seq: 1, last: true, ...named }
  return [head, `${await new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header).encrypt(key)}\n`]
}
