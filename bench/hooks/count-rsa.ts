import crypto, { type webcrypto } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { answerCalls } from '../answer-calls.js'

/** Counts the RSA private operations of a process, synchronous ones and those of WebCrypto. */

let operations = 0

const { privateDecrypt } = crypto
crypto.privateDecrypt = (...args: Parameters<typeof privateDecrypt>) => {
  operations++
  return privateDecrypt(...args)
}
syncBuiltinESMExports()

const subtle = Object.getPrototypeOf(crypto.webcrypto.subtle) as webcrypto.SubtleCrypto
const { decrypt } = subtle
subtle.decrypt = function (this: webcrypto.SubtleCrypto, ...args) {
  if ((args[0] as { name?: string }).name === 'RSA-OAEP') operations++
  return decrypt.apply(this, args)
}

answerCalls({ rsaOperations: () => operations })
