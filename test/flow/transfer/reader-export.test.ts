import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readVectors } from '../../../scripts/vectors/vector-files.js'
import { exportConversation } from '../../../src/transfer/export-records.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import { listSigningKeys } from '../../../src/transfer/signing-key.js'
import { bootConclave, type TestConclave } from '../../support/boot.js'
import { send } from '../../support/chat.js'
import { hasReader, linesOf, pythonsOrNone, type ReaderRun, runReader } from '../../support/reader.js'
import { chatter } from '../../support/transfer/chatter.js'
import { collected, drained, fileOf } from '../../support/transfer/files.js'
import { runPython } from '../../support/transfer/python.js'
import { ecRecipient, inPem, type Recipient, rsaRecipient } from '../../support/transfer/recipients.js'

/** A reader that has nothing of the program: docs/reader/read_export.py. */

const vectors = readVectors('exports')
const LONG = 'x'.repeat(30_000)
const rsa = rsaRecipient()

describe.skipIf(!hasReader).each(pythonsOrNone)(
  'the reader of exports, in %s, and the files that are kept',
  (python) => {
    let said: Record<string, { code: number; records: unknown[] }>
    beforeAll(() => {
      said = runPython('read_vectors.py', [], python)
    })

    it.each(vectors.filter(({ result }) => result === 'invalid').map(({ name }) => name))(
      'prints nothing: %s',
      (name) => {
        expect(said[name]).toEqual({ code: 1, records: [] })
      }
    )

    it.each(vectors.filter(({ result }) => result === 'valid').map(({ name, records }) => [name, records] as const))(
      'prints what the program has written: %s',
      (name, records) => {
        const isUnreadable = JSON.stringify(records).includes('"KEY_DESTROYED"')
        expect(said[name]).toEqual({ code: isUnreadable ? 3 : 0, records })
      }
    )
  }
)

describe.skipIf(!hasReader).each(pythonsOrNone)('the reader of exports, in %s', (python) => {
  let folder: string
  let conclave: TestConclave
  let id: string
  let file: string[]
  let signer: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conclave-reader-'))
    conclave = await bootConclave()
    id = await chatter(conclave)
    for (let count = 0; count < 6; count++) await send(await conclave.as('alice'), id, `${count} ${LONG}`)
    file = await exported(rsa)
    const [key] = await listSigningKeys(conclave.services)
    signer = key?.thumbprint ?? expect.fail('an export is signed')
  }, 60_000)
  afterAll(async () => {
    await conclave.close()
    rmSync(folder, { recursive: true })
  })

  it.each([
    ['RSA', rsaRecipient(3072)],
    ['P-256', ecRecipient('P-256')],
    ['P-384', ecRecipient('P-384')],
    ['P-521', ecRecipient('P-521')],
    ['X25519', inPem(generateKeyPairSync('x25519'))]
  ])('opens one for a key of %s, with every record as it stands', async (_kind, recipient) => {
    const lines = await exported(recipient)
    const opened = await drained(openExport(fileOf(lines), await readPrivateKey(recipient.privatePem)))
    const run = read(lines, recipient, '--json', '--signed-by', signer)
    expect([run.code, run.errors]).toEqual([0, `Whole, and signed by ${signer}.\n`])
    expect(lines.length).toBeGreaterThan(3)
    expect(linesOf(run)).toEqual(opened.yielded.map(({ value }) => value))
  })

  it('prints what a person reads', () => {
    const { code, output } = read(file, rsa)
    expect(code).toBe(0)
    expect(output).toContain('Ward round, east')
    expect(output).toMatch(/^#\d+ {2}\S+ {2}\w+ \(edited\): was edited twice$/m)
    expect(output).toContain('[deleted]')
    expect(output).toMatch(/^member bob, member$/m)
  })

  it.each<[string, (lines: string[]) => string[] | Promise<string[]>, RegExp]>([
    ['nothing in it', () => [], /no JWE/],
    ['its end cut off', (lines) => lines.slice(0, -1), /cut off/],
    // 12 characters of the tag are left, which are 9 bytes.
    ['its last line cut short', (lines) => lines.with(-1, lines.at(-1)?.slice(0, -11) ?? ''), /of another length/],
    ['a chunk left out', (lines) => lines.toSpliced(1, 1), /was changed/],
    ['a chunk doubled', (lines) => lines.toSpliced(1, 0, lines[1] ?? ''), /was changed/],
    ['chunks exchanged', ([head = '', one = '', two = '', ...rest]) => [head, two, one, ...rest], /was changed/],
    ['a chunk of another export', async (lines) => lines.with(1, (await exported(rsa))[1] ?? ''), /was changed/],
    ['something behind its end', (lines) => [...lines, lines[1] ?? ''], /behind its end/],
    ['a bit flipped', (lines) => lines.with(1, flipped(lines[1] ?? '')), /was changed/],
    ['a head of a later version', (lines) => withHead(lines, { version: 2 }), /version 2/],
    ['a chunk that is compressed', (lines) => withChunk(lines, { zip: 'DEF' }), /encrypted in another way/],
    ['a chunk under another algorithm', (lines) => withChunk(lines, { enc: 'A128GCM' }), /encrypted in another way/]
  ])('prints nothing of one with %s', async (_fault, change, reason) => {
    const run = read(await change(file), rsa)
    expect([run.code, run.output]).toEqual([1, ''])
    expect(run.errors).toMatch(reason)
  })

  it('prints nothing of one that was made for somebody else', () => {
    const stranger = read(file, rsaRecipient())
    expect([stranger.code, stranger.output]).toEqual([1, ''])
    expect(stranger.errors).toContain('was made for the key')
  })

  it.each(['3q2Jc', '-fQgHfog9P6pvhMI3Yi0WJu4ZYzTH_i3EyFxzbfFV5E'])(
    'prints nothing of one that was signed by another key than the one that is known: %s',
    (known) => {
      const { code, output, errors } = read(file, rsa, '--signed-by', known)
      expect([code, output]).toEqual([1, ''])
      expect(errors).toContain(`was signed by ${signer}`)
    }
  )

  async function exported(recipient: Recipient): Promise<string[]> {
    const order = { actor: 'operator:test', recipient: await readRecipientKey(recipient.publicPem) }
    const text = (await collected(exportConversation(conclave.workerServices, id, order))).join('')
    return text.match(/.+\n/g) ?? []
  }

  function read(lines: readonly string[], recipient: Recipient, ...options: string[]): ReaderRun {
    const [path, key] = [join(folder, 'export'), join(folder, 'recipient.pem')]
    writeFileSync(path, lines.join(''))
    writeFileSync(key, recipient.privatePem)
    return runReader(python, 'read_export.py', [...options, path, key])
  }
})

function flipped(line: string): string {
  const middle = line.length >> 1
  return line.slice(0, middle) + (line[middle] === 'A' ? 'B' : 'A') + line.slice(middle + 1)
}

/** Made anew by the recipient, who can. */
async function withHead([head = '', ...rest]: string[], changed: object): Promise<string[]> {
  const { key } = await readPrivateKey(rsa.privatePem)
  const { plaintext, protectedHeader } = await compactDecrypt(head.trim(), key)
  const content = { ...JSON.parse(Buffer.from(plaintext).toString('utf8')), ...changed }
  const recipient = await readRecipientKey(rsa.publicPem)
  const encrypt = new CompactEncrypt(Buffer.from(JSON.stringify(content))).setProtectedHeader(protectedHeader)
  return [`${await encrypt.encrypt(recipient.key)}\n`, ...rest]
}

/** Its header says something else: whether it opens is not asked any more. */
function withChunk([head = '', chunk = '', ...rest]: string[], changed: object): string[] {
  const [header = '', ...parts] = chunk.split('.')
  const content = { ...JSON.parse(Buffer.from(header, 'base64url').toString('utf8')), ...changed }
  return [head, [Buffer.from(JSON.stringify(content)).toString('base64url'), ...parts].join('.'), ...rest]
}
