import { describe, expect, it } from 'vitest'
import { bytesOf, type Hex, readVectors } from '../../../scripts/vectors/vector-files.js'
import {
  type MessageContext,
  messageAssociatedData,
  type PrivateKeyContext,
  privateKeyAssociatedData,
  type TitleContext,
  titleAssociatedData
} from '../../../src/crypto/associated-data.js'
import { decryptText } from '../../../src/crypto/decrypt-text.js'
import { dataKeyFrom } from '../../../src/crypto/keys.js'
import { expectDecryptionError } from '../crypto/tampering.js'
import { thrownBy } from '../failures.js'

describe('associated data that was put together once', () => {
  const encode = {
    message: (context: object) => messageAssociatedData(context as MessageContext),
    title: (context: object) => titleAssociatedData(context as TitleContext),
    'private key': (context: object) => privateKeyAssociatedData(privateKeyContext(context))
  }

  it.each(readVectors('associated-data').map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const { purpose, context, associatedData, result } = vector
    if (result === 'invalid') expect(thrownBy(() => encode[purpose](context))).toBeInstanceOf(RangeError)
    else expect(encode[purpose](context).toString('hex')).toBe(associatedData)
  })
})

describe('a message that was stored once', () => {
  it.each(readVectors('messages').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, vector) => {
      expectOpened(vector, messageAssociatedData(vector.context), vector.body)
    }
  )
})

describe('a title that was stored once', () => {
  it.each(readVectors('titles').map((vector) => [vector.result, vector.name, vector] as const))(
    '%s: %s',
    (_, __, vector) => {
      expectOpened(vector, titleAssociatedData(vector.context), vector.title)
    }
  )
})

function expectOpened(
  { result, dataKey, envelope }: { result: string; dataKey: Hex; envelope: Hex },
  associatedData: Buffer,
  plaintext: string | null
): void {
  const open = () => decryptText(dataKeyFrom(bytesOf(dataKey)), bytesOf(envelope), associatedData)
  if (result === 'invalid') expectDecryptionError(thrownBy(open))
  else expect(open()).toBe(plaintext)
}

function privateKeyContext(context: object): PrivateKeyContext {
  const { keyId, fingerprint } = context as { keyId: string; fingerprint: Hex }
  return { keyId, fingerprint: bytesOf(fingerprint) }
}
