import { encryptContent } from './content-encryption.js'
import type { DataKey } from './keys.js'

/**
 * Encrypts a text in UTF-8, as {@link encryptContent} does. The bytes that it is made into are overwritten: the text
 * itself cannot be.
 */
export function encryptText(key: DataKey, text: string, associatedData: Uint8Array): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  try {
    return encryptContent(key, bytes, associatedData)
  } finally {
    bytes.fill(0)
  }
}
