import { readdirSync, readFileSync } from 'node:fs'
import { readyOperations } from '../web/explorers/ready-operations.ts'

const DOCUMENTS = new URL('../documents/', import.meta.url)

/** The text of an operation of documents/, with the fragments that it needs; nothing for a name that none has. */
export function readyOperation(name) {
  const files = readdirSync(DOCUMENTS).filter((file) => file.endsWith('.graphql'))
  const texts = Object.fromEntries(files.map((file) => [file, readFileSync(new URL(file, DOCUMENTS), 'utf8')]))
  return readyOperations(texts).find((operation) => operation.name === name)?.text
}
