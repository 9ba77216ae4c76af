import { existsSync, writeFileSync } from 'node:fs'
import { generateRsaKeyPair } from '../src/crypto/key-transport.js'
import { keyEventsVectors } from './vectors/audit-vectors.js'
import { associatedDataVectors, messageVectors, titleVectors } from './vectors/content-vectors.js'
import { exportVectors } from './vectors/export-vectors.js'
import { cursorVectors, importIdVectors, messageIdVectors } from './vectors/id-vectors.js'
import { kmsPrivateKeyVectors, vaultPrivateKeyVectors } from './vectors/key-service-vectors.js'
import {
  exportSigningKeyVectors,
  fingerprintVectors,
  localPrivateKeyVectors,
  type VectorPairs,
  wrappedDataKeyVectors
} from './vectors/key-vectors.js'
import { type Case, readVectors, type VectorFileName, type VectorFiles, vectorPath } from './vectors/vector-files.js'

/**
 * `npm run vectors` writes those files of test/vectors that are missing. A file that exists is what was stored once, which
 * every later version must open: `npm run vectors -- --add=<name>` puts the cases behind it that it does not have yet, and
 * `--overwrite=<name>` makes it anew all the same.
 */

const MAKERS: { [Name in VectorFileName]: (pairs: VectorPairs) => VectorFiles[Name][] | Promise<VectorFiles[Name][]> } =
  {
    'associated-data': associatedDataVectors,
    messages: messageVectors,
    titles: titleVectors,
    'wrapped-data-keys': wrappedDataKeyVectors,
    fingerprints: fingerprintVectors,
    'local-private-keys': localPrivateKeyVectors,
    'vault-private-keys': vaultPrivateKeyVectors,
    'kms-private-keys': kmsPrivateKeyVectors,
    'key-events': keyEventsVectors,
    cursors: cursorVectors,
    'message-ids': messageIdVectors,
    exports: exportVectors,
    'export-signing-keys': exportSigningKeyVectors,
    'import-ids': importIdVectors
  }

const ABOUT = 'Of docs/format.md and docs/format-export.md. Every key in here is for tests alone, and protects nothing.'

const named = (option: string) =>
  process.argv.flatMap((arg) => (arg.startsWith(option) ? arg.slice(option.length) : []))
const overwritten = named('--overwrite=')
const extended = named('--add=')
const names = Object.keys(MAKERS) as VectorFileName[]
const unknown = [...overwritten, ...extended].filter((name) => !names.includes(name as VectorFileName))
const wanted = names.filter((name) => [...overwritten, ...extended].includes(name) || !existsSync(vectorPath(name)))

if (unknown.length > 0) fail(`There is no file of vectors ${unknown.join(', ')}: there are ${names.join(', ')}.`)
else if (wanted.length === 0)
  fail('Every file of vectors is there, and stays as it is. --add=<name> adds to one, --overwrite=<name> replaces it.')
else await make(wanted)

async function make(files: readonly VectorFileName[]): Promise<void> {
  const [small, middle, large, other] = await Promise.all([
    generateRsaKeyPair(2048),
    generateRsaKeyPair(3072),
    generateRsaKeyPair(4096),
    generateRsaKeyPair(2048)
  ])
  for (const name of files) {
    const kept: Case[] = extended.includes(name) ? readVectors(name) : []
    const made: Case[] = await MAKERS[name]({ 2048: small, 3072: middle, 4096: large, other })
    const vectors = [...kept, ...made.filter((one) => !kept.some((other) => other.name === one.name))]
    writeFileSync(vectorPath(name), `${JSON.stringify({ about: ABOUT, vectors }, null, 2)}\n`)
    console.log(`${vectorPath(name)}: ${vectors.length} cases`)
  }
}

function fail(sentence: string): void {
  console.error(sentence)
  process.exitCode = 1
}
