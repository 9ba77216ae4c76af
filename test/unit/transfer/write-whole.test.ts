import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeWhole } from '../../../src/transfer/files/write-whole.js'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conclave-whole-'))
  path = join(folder, 'ward.export')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a file that is written whole', () => {
  it('is refused where another is writing it, whose part stays as it is', async () => {
    writeFileSync(`${path}.partial`, 'of another')
    await expect(writeWhole(path, lines())).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(readFileSync(`${path}.partial`, 'utf8')).toBe('of another')
  })

  it('is refused where there is no such folder', async () => {
    const nowhere = join(folder, 'nowhere', 'ward.export')
    const words = `${nowhere}.partial: It cannot be written (ENOENT).`
    await expect(writeWhole(nowhere, lines())).rejects.toMatchObject({ code: 'FORMAT', message: words })
  })

  it('does not follow a link that somebody has laid', async () => {
    const elsewhere = join(folder, 'elsewhere')
    symlinkSync(elsewhere, `${path}.partial`)
    await expect(writeWhole(path, lines())).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await readdir(folder)).toEqual(['ward.export.partial'])
  })

  it('leaves what was there where its lines end early', async () => {
    writeFileSync(path, 'before')
    await expect(writeWhole(path, lines(new Error('out of reach')))).rejects.toThrow('out of reach')
    expect(await readdir(folder)).toEqual(['ward.export'])
    expect(readFileSync(path, 'utf8')).toBe('before')
  })

  it('has its lines, and only its owner may read them', async () => {
    await writeWhole(path, lines())
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
})

async function* lines(end?: Error): AsyncGenerator<string> {
  yield 'one\n'
  if (end) throw end
  yield 'two\n'
}
