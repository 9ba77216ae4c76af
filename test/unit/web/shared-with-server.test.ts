import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { SHARED_WITH_SERVER } from '../../../scripts/build-pages.js'

const SOURCES = join(import.meta.dirname, '../../../web/src')

it('the console is built anew when a module changes that it shares with the server', () => {
  const texts = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(join(SOURCES, name), 'utf8'))
  const imported = texts.flatMap((text) =>
    [...text.matchAll(/from '(?:\.\.\/)+(src\/.*)\.js'/g)].map(([, path]) => `${path}.ts`)
  )
  expect(new Set(imported)).toEqual(new Set(SHARED_WITH_SERVER))
})

it.each(SHARED_WITH_SERVER)('%s imports nothing, of which the console would have to be built as well', (path) => {
  expect(readFileSync(join(SOURCES, '../..', path), 'utf8')).not.toMatch(/^import |\bimport\(|^export .* from /m)
})
