import { describe, expect, it } from 'vitest'
import { allVersions } from '../../../web/src/keys/all-versions.js'

describe('all versions of a key', () => {
  it.each([
    [0, [0]],
    [199, [0]],
    [200, [0, 200]],
    [401, [0, 200, 400]]
  ])('of %d are read by pages after the versions %j', async (count, asked) => {
    const stored = Array.from({ length: count }, (_, index) => ({ version: index + 1 }))
    const pages: number[] = []
    const found = await allVersions(async ({ first, afterVersion }) => {
      pages.push(afterVersion)
      return stored.slice(afterVersion, afterVersion + first)
    })
    expect(found).toEqual(stored)
    expect(pages).toEqual(asked)
  })
})
