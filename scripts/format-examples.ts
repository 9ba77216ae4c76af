import { readFileSync, writeFileSync } from 'node:fs'
import { withExamples } from './vectors/example-blocks.js'

/** `npm run format-examples` writes the examples of both specifications from test/vectors; a test compares. */

for (const path of ['docs/format.md', 'docs/format-export.md']) {
  writeFileSync(path, withExamples(readFileSync(path, 'utf8')))
}
