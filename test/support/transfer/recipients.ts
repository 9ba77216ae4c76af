import { generateKeyPairSync, type KeyObject } from 'node:crypto'

export interface Recipient {
  publicPem: string
  privatePem: string
}

/** Whoever exports are made for. */
export function rsaRecipient(modulusLength = 2048, publicExponent = 0x10001): Recipient {
  return inPem(generateKeyPairSync('rsa', { modulusLength, publicExponent }))
}

export function ecRecipient(namedCurve = 'P-256'): Recipient {
  return inPem(generateKeyPairSync('ec', { namedCurve }))
}

export function inPem({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Recipient {
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  }
}
