import { isUtf8 } from 'node:buffer'
import { decryptContent } from './content-encryption.js'
import { DecryptionError } from './errors.js'
import type { DataKey } from './keys.js'

/**
 * Opens the envelope of a text in UTF-8. The bytes that it is read from are overwritten: the text itself cannot be.
 *
 * @throws DecryptionError as {@link decryptContent} does, and for bytes that are not UTF-8: nobody has encrypted such
 */
export function decryptText(key: DataKey, envelope: Uint8Array, associatedData: Uint8Array): string {
  const bytes = decryptContent(key, envelope, associatedData)
  try {
    if (!isUtf8(bytes)) throw new DecryptionError()
    return bytes.toString('utf8')
  } finally {
    bytes.fill(0)
  }
}
