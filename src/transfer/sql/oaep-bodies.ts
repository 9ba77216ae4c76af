import { createPrivateKey } from 'node:crypto'
import { importPrivateKey, openOaep } from '../../crypto/key-transport.js'
import type { PrivateKey } from '../../crypto/keys.js'
import { TransferError } from '../transfer-error.js'

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Opens bodies that RSA-OAEP (SHA-256, MGF1-SHA-256, no label) has encrypted with the public half of a key. */
export class OaepBodies {
  readonly #key: PrivateKey

  /** @param pem PKCS #1 or PKCS #8. @throws TransferError KEY, without a piece of it */
  constructor(pem: string) {
    try {
      this.#key = importPrivateKey(createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }))
    } catch {
      throw new TransferError(
        'KEY',
        'The private key of the conversation is not an RSA key in PEM, or has a passphrase.'
      )
    }
  }

  /**
   * @param body base64 of one ciphertext, or of several one after the other, as longer bodies are cut into
   * @returns null where the key does not open it
   */
  async open(body: string): Promise<string | null> {
    if (!BASE64.test(body)) return null
    const bytes = Buffer.from(body, 'base64')
    const { modulusLength } = this.#key.algorithm as unknown as { modulusLength: number }
    const blockBytes = modulusLength / 8
    if (bytes.length % blockBytes !== 0) return null
    const blocks: Uint8Array[] = []
    try {
      for (let start = 0; start < bytes.length; start += blockBytes) {
        blocks.push(await openOaep(this.#key, bytes.subarray(start, start + blockBytes)))
      }
      const whole = Buffer.concat(blocks)
      blocks.push(whole)
      return utf8.decode(whole)
    } catch {
      return null
    } finally {
      for (const block of blocks) block.fill(0)
    }
  }
}
