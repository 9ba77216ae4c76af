import { describe, expect, it } from 'vitest'
import { fileLines, lineText } from '../../../src/transfer/file-lines.js'
import { collected, fileOf } from '../../support/transfer/files.js'

describe('the lines of a file', () => {
  it('are refused where one is longer than is allowed, however many pieces it comes in', async () => {
    for (const pieceBytes of [1, 7, 1000]) {
      const reading = collected(fileLines(fileOf(`short\n${'x'.repeat(30)}\n`, pieceBytes), 20))
      await expect(reading).rejects.toMatchObject({ code: 'LINE', line: 2 })
    }
  })

  it('are refused where they are not UTF-8', () => {
    expect(() => lineText({ number: 3, bytes: Buffer.of(0x61, 0xff) })).toThrow('not UTF-8')
  })

  it.each([1, 2, 3, 1000])('are the same in pieces of %i bytes', async (pieceBytes) => {
    const lines = await collected(fileLines(fileOf('one\n\nthreeé\nrest', pieceBytes)))
    expect(lines.map((line) => [line.number, lineText(line), line.ended])).toEqual([
      [1, 'one', true],
      [2, '', true],
      [3, 'threeé', true],
      [4, 'rest', false]
    ])
  })

  it('are none in an empty file', async () => {
    expect(await collected(fileLines(fileOf('')))).toEqual([])
  })
})
