import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const SUMS = 'test/SHA256SUMS'

describe('what earlier versions have written', () => {
  it('is kept byte for byte: whoever changes a vector or a database of a release says so in test/SHA256SUMS', () => {
    const files = ['test/vectors', 'test/fixtures'].flatMap((folder) =>
      readdirSync(folder).map((name) => `${folder}/${name}`)
    )
    expect(Object.fromEntries(files.map((file) => [file, sha256(file)]))).toEqual(kept())
  })
})

/** As `sha256sum` writes it. */
function kept(): Record<string, string> {
  const lines = readFileSync(SUMS, 'utf8').trim().split('\n')
  return Object.fromEntries(
    lines.map((line) => {
      const [sum, file] = line.split('  ')
      return [file, sum]
    })
  )
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
