import { createHash } from 'node:crypto'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { addTypenameToDocument } from '@apollo/client/utilities'
import { sortTopLevelDefinitions } from '@apollo/persisted-query-lists'
import { type DocumentNode, getOperationAST, parse, print, separateOperations } from 'graphql'

/**
 * `npm run persisted-queries -- <file>` writes the operations of documents/ as a manifest for `PERSISTED_QUERIES`: each
 * with its fragments, in the words that Apollo Client checks them by, under the SHA-256 of its text.
 */

const DOCUMENTS = 'documents/*.graphql'

interface ListedOperation {
  id: string
  name: string
  type: string
  body: string
}

function listed([name, document]: [string, DocumentNode]): ListedOperation {
  const body = print(sortTopLevelDefinitions(addTypenameToDocument(document)))
  const id = createHash('sha256').update(body).digest('hex')
  return { id, name, type: getOperationAST(document)?.operation ?? '', body }
}

const texts = globSync(DOCUMENTS).map((file) => readFileSync(file, 'utf8'))
const operations = Object.entries(separateOperations(parse(texts.join('\n')))).map(listed)
operations.sort((a, b) => (a.name < b.name ? -1 : 1))
const manifest = { format: 'apollo-persisted-query-manifest', version: 1, operations }
writeFileSync(process.argv[2] ?? 'persisted-query-manifest.json', `${JSON.stringify(manifest, null, 2)}\n`)
