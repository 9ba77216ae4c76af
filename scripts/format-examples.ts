import { readFileSync, writeFileSync } from 'node:fs'
import { withExamples } from './vectors/example-blocks.js'

/** `npm run format-examples` writes the examples of docs/format.md from test/vectors; a test compares. */

const FILE = 'docs/format.md'

writeFileSync(FILE, withExamples(readFileSync(FILE, 'utf8')))
