import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, exportJWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Manifest } from '../../../src/transfer/export-format.js'
import { signManifest, verifyManifest } from '../../../src/transfer/manifest.js'
import { type OpenedExport, openExport } from '../../../src/transfer/open-export.js'
import { type RecipientKey, readPrivateKey, readRecipientKey } from '../../../src/transfer/recipient-key.js'
import type { ExportRecord } from '../../../src/transfer/records.js'
import { sealExport } from '../../../src/transfer/seal-export.js'
import { TransferError } from '../../../src/transfer/transfer-error.js'
import { anyText, BRIEF, bytes, checkAsync, damages, textDamages } from '../../support/properties.js'
import { collected, drained, fileOf } from '../../support/transfer/files.js'
import { ecRecipient, type Recipient } from '../../support/transfer/recipients.js'
import { resealed } from '../../support/transfer/resealed.js'

/** The reader of exports, given anything at all. */

const CONVERSATION = '0193a000-0000-7000-8000-000000000001'
const AT = '2026-01-01T00:00:00.000Z'
const signer = generateKeyPairSync('ed25519')

let recipient: Recipient
let opening: RecipientKey
let whole: string[]
let wholeText: string[]

beforeAll(async () => {
  recipient = ecRecipient()
  opening = await readPrivateKey(recipient.privatePem)
  // More than one chunk takes.
  whole = await sealed(Array.from({ length: 4 }, (_, index) => message(index + 1, 'x'.repeat(40_000))))
  wholeText = (await opened(whole.join('')))?.text ?? expect.fail('it opens')
})

function message(sequence: number, body: string): ExportRecord {
  const nothing = { clientMessageId: null, replyToId: null, revision: 0, editedAt: null, deletedAt: null }
  const written = { senderId: 'alice', status: 'READABLE', body, createdAt: AT } as const
  return {
    type: 'message',
    conversationId: CONVERSATION,
    sequence,
    id: `m${sequence}`,
    kind: 'TEXT',
    ...written,
    ...nothing
  }
}

async function sealed(records: ExportRecord[]): Promise<string[]> {
  const description = { exportId: crypto.randomUUID(), subject: { conversationId: CONVERSATION }, after: 0, signer }
  const given = (async function* () {
    yield* records
  })()
  const key = await readRecipientKey(recipient.publicPem)
  return await collected(sealExport({ ...description, createdAt: new Date(AT), recipient: key }, given))
}

/** Null for what was refused; the test fails where that was in another way than the documented one. */
async function opened(file: string | Buffer): Promise<(OpenedExport & { text: string[] }) | null> {
  try {
    const { yielded, returned } = await drained(openExport(fileOf(file, 5_000), opening))
    return { ...returned, text: yielded.map((line) => line.text) }
  } catch (error) {
    expect(error).toBeInstanceOf(TransferError)
    expect(['KEY', 'FORMAT', 'LINE', 'MANIFEST']).toContain((error as TransferError).code)
    return null
  }
}

describe('an export', () => {
  it('is refused where it was changed, or has lost nothing by it', async () => {
    await checkAsync(
      fc.asyncProperty(damages, async (spoil) => {
        const found = await opened(spoil(Buffer.from(whole.join(''))))
        // Without its last line feed, say.
        if (found) expect(found.text).toEqual(wholeText)
      }),
      300,
      BRIEF
    )
  })

  it('is refused where its lines are others than they were, or in another order', async () => {
    await checkAsync(
      fc.asyncProperty(fc.array(fc.nat(6), { maxLength: 8 }), async (order) => {
        const lines = order.map((index) => whole[index % whole.length] ?? '')
        const found = await opened(lines.join(''))
        expect(found !== null).toBe(lines.join('') === whole.join(''))
      }),
      200,
      BRIEF
    )
  })

  it('is refused where it is anything else', async () => {
    const head = fc.oneof(
      fc.dictionary(fc.constantFrom('typ', 'kid', 'alg', 'enc', 'epk'), fc.jsonValue()),
      fc.jsonValue()
    )
    const file = fc.oneof(
      bytes(),
      anyText().map((text) => Buffer.from(text)),
      fc
        .tuple(head, anyText(30))
        .map(([value, rest]) => Buffer.from(`${Buffer.from(JSON.stringify(value)).toString('base64url')}.${rest}\n`))
    )
    await checkAsync(
      fc.asyncProperty(file, async (content) => {
        expect(await opened(content)).toBeNull()
      }),
      500,
      BRIEF
    )
  })

  it('is refused where its recipient has put anything else into it', async () => {
    const line = fc.oneof(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc
        .record({ type: fc.constantFrom('message', 'user', 'manifest', 7), jws: fc.jsonValue() })
        .map((value) => JSON.stringify(value)),
      anyText(30)
    )
    const small = await sealed([message(1, 'one'), message(2, 'two')])
    const place = fc.nat(2)
    await checkAsync(
      fc.asyncProperty(line, place, fc.boolean(), async (put, at, instead) => {
        fc.pre(put.isWellFormed())
        const changed = await resealed(small, recipient, (lines) => lines.toSpliced(at, instead ? 1 : 0, put))
        expect(await opened(changed.join(''))).toBeNull()
      }),
      100,
      BRIEF
    )
  })

  it('gives back every record, whatever is in it', async () => {
    await checkAsync(
      fc.asyncProperty(fc.array(anyText(100), { maxLength: 10 }), async (bodies) => {
        const records = bodies.map((body, index) => message(index + 1, body))
        const found = await opened((await sealed(records)).join(''))
        expect(found?.text.map((line) => JSON.parse(line))).toEqual(records)
        expect(found?.manifest).toMatchObject({ lines: records.length, subject: { conversationId: CONVERSATION } })
      }),
      100,
      BRIEF
    )
  })
})

describe('a manifest', () => {
  const count = fc.nat(2 ** 31 - 1)
  const text = fc.string({ maxLength: 20 })
  const manifest: fc.Arbitrary<Manifest> = fc.record({
    format: fc.constant('conclave-export'),
    version: fc.constant(1),
    exportId: text,
    subject: fc.oneof(
      text.map((conversationId) => ({ conversationId })),
      text.map((userId) => ({ userId }))
    ),
    createdAt: text,
    after: count,
    recipient: text,
    lines: count,
    counts: fc.record({ conversation: count, user: count, message: count, member: count }),
    unreadable: count,
    sha256: text
  })

  async function verified(jws: string): Promise<Manifest | null> {
    try {
      return (await verifyManifest(jws)).manifest
    } catch (error) {
      expect(error).toBeInstanceOf(TransferError)
      expect(error).toMatchObject({ code: 'MANIFEST' })
      return null
    }
  }

  it('is verified as it was signed, and refused with any change', async () => {
    await checkAsync(
      fc.asyncProperty(manifest, textDamages, async (content, spoil) => {
        const jws = await signManifest(signer, content)
        expect(await verified(jws)).toEqual(content)
        const changed = spoil(jws)
        fc.pre(changed !== jws)
        expect(await verified(changed)).toBeNull()
      }),
      200,
      BRIEF
    )
  })

  it('is one of this format or refused, whatever somebody has signed', async () => {
    const jwk = await exportJWK(signer.publicKey)
    const nearly = fc
      .tuple(
        manifest,
        fc.constantFrom('format', 'version', 'subject', 'after', 'counts', 'lines', 'sha256', '__proto__'),
        fc.jsonValue()
      )
      .map(([content, name, value]) => JSON.stringify({ ...content, [name]: value }))
    const payload = fc.oneof(
      nearly,
      anyText(),
      fc.jsonValue().map((value) => JSON.stringify(value))
    )
    const key = fc.oneof(fc.constant(jwk), fc.jsonValue(), fc.constant(undefined))
    await checkAsync(
      fc.asyncProperty(payload, key, async (signed, named) => {
        const header = { alg: 'EdDSA', jwk: named }
        const jws = await new CompactSign(Buffer.from(signed))
          .setProtectedHeader(header as { alg: string })
          .sign(signer.privateKey)
        const found = await verified(jws)
        if (found) expect(found).toMatchObject({ format: 'conclave-export', version: 1 })
      }),
      300,
      BRIEF
    )
  })
})
