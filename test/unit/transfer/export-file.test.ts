import { generateKeyPairSync } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { readVerified, verifyExport } from '../../../src/transfer/import-export.js'
import { openExport } from '../../../src/transfer/open-export.js'
import { readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import type { ExportRecord } from '../../../src/transfer/records.js'
import { sealExport } from '../../../src/transfer/seal-export.js'
import { noteOverwritten } from '../../support/overwritten.js'
import { collected, drained, fileOf } from '../../support/transfer/files.js'
import { ecRecipient, type Recipient, rsaRecipient } from '../../support/transfer/recipients.js'
import { resealed } from '../../support/transfer/resealed.js'

const CONVERSATION = '0193a000-0000-7000-8000-000000000001'
const signer = generateKeyPairSync('ed25519')
let recipient: Recipient
/** Lines of a file with several chunks. */
let file: string[]
let other: string[]

beforeAll(async () => {
  recipient = rsaRecipient()
  file = await sealed(recipient, 500)
  other = await sealed(recipient, 500)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('an export that was changed', () => {
  it('is refused where a chunk was left out', async () => {
    expect(file.length).toBeGreaterThan(4)
    expect(await refusal(file.toSpliced(2, 1))).toMatch(/^FORMAT: .*changed, or put together/)
  })

  it('is refused where chunks were exchanged, or one was doubled', async () => {
    const [head = '', first = '', second = '', ...rest] = file
    expect(await refusal([head, second, first, ...rest])).toMatch(/^FORMAT/)
    expect(await refusal([head, first, first, second, ...rest])).toMatch(/^FORMAT/)
  })

  it('is refused where its end was cut off, at a line or within one', async () => {
    expect(await refusal(file.slice(0, -1))).toMatch(/^FORMAT: .*cut off/)
    expect(await refusal([file.join('').slice(0, -100)])).toMatch(/^FORMAT: .*cut off/)
    expect(await refusal(file.slice(0, 1))).toMatch(/^FORMAT: .*cut off/)
  })

  it('is refused where something follows its end', async () => {
    expect(await refusal([...file, file.at(-1) ?? ''])).toMatch(/^FORMAT: Something follows/)
  })

  it('is refused where a chunk comes from another export for the same key', async () => {
    expect(await refusal(file.with(2, other[2] ?? ''))).toMatch(/^FORMAT/)
    expect(await refusal(file.with(0, other[0] ?? ''))).toMatch(/^FORMAT/)
  })

  it('is refused wherever a character is another one', async () => {
    for (const [index, line] of file.entries()) {
      for (const place of [0.1, 0.5, 0.9]) {
        const at = Math.floor(line.length * place)
        const flipped = `${line.slice(0, at)}${line[at] === 'A' ? 'B' : 'A'}${line.slice(at + 1)}`
        expect(await refusal(file.with(index, flipped))).toMatch(/^(FORMAT|KEY)/)
      }
    }
  })

  it('is refused where the recipient has put in lines and kept the manifest', async () => {
    const forged = await resealed(file, recipient, (lines) =>
      lines.with(1, (lines[1] ?? '').replace('message 0', 'message X'))
    )
    expect(await refusal(forged)).toMatch(/^MANIFEST: The hash/)
  })

  it('is refused where its chunks are named after another export, or none is said to be the last', async () => {
    expect(await refusal(await resealed(file, recipient, (lines) => lines))).toBe('nothing refused')
    expect(await refusal(await resealed(file, recipient, (lines) => lines, { export: 'another' }))).toMatch(/^FORMAT/)
    expect(await refusal(await resealed(file, recipient, (lines) => lines, { last: 1 }))).toMatch(/^FORMAT/)
  })

  it('is refused where another one, signed as well, has taken its place for the second reading', async () => {
    const key = await readPrivateKey(recipient.privatePem)
    const verified = await verifyExport(() => fileOf(file), key)
    await expect(drained(readVerified(() => fileOf(other), key, verified))).rejects.toMatchObject({
      code: 'MANIFEST',
      message: expect.stringContaining('exchanged between its two readings')
    })
    expect((await drained(readVerified(() => fileOf(file), key, verified))).yielded).toHaveLength(501)
  })

  it('is refused without a manifest, and with a signature that is another one', async () => {
    expect(await refusal(await resealed(file, recipient, (lines) => lines.slice(0, -1)))).toMatch(
      /^MANIFEST: .*no manifest/
    )
    const broken = await resealed(file, recipient, (lines) =>
      lines.with(-1, (lines.at(-1) ?? '').replace(/(.{10})"}$/, 'AAAAAAAAAA"}'))
    )
    expect(await refusal(broken)).toMatch(/^MANIFEST: .*signature is wrong/)
  })

  it('is refused where it is no export, or of a later version', async () => {
    expect(await refusal(['hello\n'])).toMatch(/^FORMAT: This is not an export/)
    expect(await refusal([''])).toMatch(/^FORMAT: This is not an export/)
    expect(await refusal([await head({ version: 2, suite: 'of another kind' })])).toMatch(
      /^FORMAT: .*version 2 of the format; this program reads 1/
    )
  })
})

describe('an export', () => {
  it('is opened by nobody else', async () => {
    const stranger = rsaRecipient()
    expect(await refusal(file, stranger)).toMatch(/^KEY: The export was made for the key/)
  })

  it.each([
    ['RSA', () => rsaRecipient()],
    ['P-256', () => ecRecipient()]
  ])('for a key of the kind %s gives back every record, whatever is in it', async (_, make) => {
    const own = make()
    const lines = await sealed(own, 300)
    const { yielded, returned } = await drained(openExport(fileOf(lines, 777), await readPrivateKey(own.privatePem)))
    expect(yielded.map(({ value }) => value)).toEqual(records(300))
    expect(yielded.map(({ number }) => number)).toEqual(yielded.map((_, index) => index + 1))
    expect(returned.manifest).toMatchObject({
      subject: { conversationId: CONVERSATION },
      lines: 301,
      unreadable: 0,
      counts: { conversation: 1, user: 0, message: 300, member: 0 }
    })
  })

  it('leaves neither what it was made of nor its key in memory, and whoever opens it does not either', async () => {
    const key = await readPrivateKey(recipient.privatePem)
    const sealing = noteOverwritten()
    const lines = await sealed(recipient, 1)
    vi.restoreAllMocks()
    const opening = noteOverwritten()
    await drained(openExport(fileOf(lines), key))
    for (const overwritten of [sealing, opening]) {
      const texts = overwritten.map(String)
      expect(texts).toContainEqual(expect.stringContaining('message 0'))
      const head = texts.find((text) => text.includes('"kty":"oct"')) ?? '{}'
      const content = Buffer.from(JSON.parse(head).key.k, 'base64url')
      expect(overwritten.some((bytes) => bytes.equals(content))).toBe(true)
    }
  })

  it('of nothing is a file of two lines', async () => {
    expect(await sealed(recipient, -1)).toHaveLength(2)
  })
})

function records(messages: number): ExportRecord[] {
  if (messages < 0) return []
  const createdAt = '2026-01-01T00:00:00.000Z'
  const conversation = { id: CONVERSATION, title: 'Title', historyVisibility: 'FULL', createdAt } as const
  const all = Array.from(
    { length: messages },
    (_, index): ExportRecord => ({
      type: 'message',
      conversationId: CONVERSATION,
      sequence: index + 1,
      id: `0193a000-0000-7000-8000-${String(index).padStart(12, '0')}`,
      kind: 'TEXT',
      senderId: 'alice',
      clientMessageId: null,
      status: 'READABLE',
      body: `message ${index} \n\u0000\u2028 🙂 ${'x'.repeat(index)}`,
      replyToId: null,
      revision: 0,
      createdAt,
      editedAt: null,
      deletedAt: null
    })
  )
  return [{ type: 'conversation', ...conversation }, ...all]
}

async function sealed({ publicPem }: Recipient, messages: number): Promise<string[]> {
  const description = {
    exportId: crypto.randomUUID(),
    subject: { conversationId: CONVERSATION },
    createdAt: new Date('2026-01-01T00:00:00Z'),
    after: 0,
    recipient: await readRecipientKey(publicPem),
    signer
  }
  return await collected(
    sealExport(
      description,
      (async function* () {
        yield* records(messages)
      })()
    )
  )
}

async function refusal(lines: string[], { privatePem } = recipient): Promise<string> {
  return await drained(openExport(fileOf(lines), await readPrivateKey(privatePem))).then(
    () => 'nothing refused',
    (error: Error & { code?: string }) => `${error.code}: ${error.message}`
  )
}

async function head(changed: object): Promise<string> {
  const { key, thumbprint } = await readRecipientKey(recipient.publicPem)
  const content = {
    ...{ format: 'conclave-export', version: 1, exportId: 'x' },
    key: { kty: 'oct', k: Buffer.alloc(32).toString('base64url') },
    ...changed
  }
  const header = { alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: thumbprint, typ: 'conclave-export' }
  return `${await new CompactEncrypt(Buffer.from(JSON.stringify(content))).setProtectedHeader(header).encrypt(key)}\n`
}
