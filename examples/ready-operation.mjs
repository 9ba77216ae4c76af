import { readdirSync, readFileSync } from 'node:fs'
import { readyOperations } from '../web/explorers/ready-operations.ts'

const DOCUMENTS = new URL('../documents/', import.meta.url)

/** The text of an operation of documents/, with the fragments that it needs; nothing for a name that none has. */
export function readyOperation(name) {
  return allOperations().find((operation) => operation.name === name)?.text
}

export function readyNames() {
  return allOperations().map(({ name }) => name)
}

function allOperations() {
  const files = readdirSync(DOCUMENTS).filter((file) => file.endsWith('.graphql'))
  return readyOperations(
    Object.fromEntries(files.map((file) => [file, readFileSync(new URL(file, DOCUMENTS), 'utf8')]))
  )
}
