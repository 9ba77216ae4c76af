import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openerOf } from '../../../src/transfer/files/given-files.js'

/** What a stream of a file gives at once. */
const CHUNK = 64 * 1024

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'conclave-opener-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('reading a file', () => {
  it('tells how much of it was read, each time that it is read', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, Buffer.alloc(4 * CHUNK))
    const told: [number, number][] = []
    const open = await openerOf(path, (share, reading) => told.push([share, reading]))
    expect([await bytesOf(open()), await bytesOf(open())]).toEqual([4 * CHUNK, 4 * CHUNK])
    const shares = [0.25, 0.5, 0.75, 1]
    expect(told).toEqual([1, 2].flatMap((reading) => shares.map((share) => [share, reading])))
  })

  it('tells nothing of a pipe, whose length nobody knows', async () => {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    const told: number[] = []
    const open = await openerOf(path, (share) => told.push(share))
    const [bytes] = await Promise.all([bytesOf(open()), writeFile(path, 'abc')])
    expect([bytes, told]).toEqual([3, []])
  })
})

async function bytesOf(chunks: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.length
  return bytes
}
