import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { generateRsaKeyPair, type KeyPairBytes, type ModulusBits } from '../../src/crypto/key-transport.js'

let drawn = 0

/**
 * The next key pair of this test file: none comes twice in it. Another file of the run may have made it before, for its own
 * databases: each takes a tenth of a second of a core or more to make.
 */
export async function drawKeyPair(modulusBits: ModulusBits): Promise<KeyPairBytes> {
  const folder = join(inject('builds'), 'key-pairs')
  const path = join(folder, `${modulusBits}-${drawn++}`)
  if (existsSync(path)) return fromText(readFileSync(path, 'utf8'))
  const pair = await generateRsaKeyPair(modulusBits)
  mkdirSync(folder, { recursive: true })
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, toText(pair))
  // Whole, or not at all.
  renameSync(draft, path)
  return pair
}

const toText = ({ publicKey, privateKey }: KeyPairBytes) =>
  [publicKey, privateKey].map((der) => der.toString('base64')).join('\n')

function fromText(text: string): KeyPairBytes {
  const [publicKey = '', privateKey = ''] = text.split('\n')
  return { publicKey: Buffer.from(publicKey, 'base64'), privateKey: Buffer.from(privateKey, 'base64') }
}
