import { v5 as uuidv5 } from 'uuid'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Of our own (RFC 9562, section 6.6). */
const NAMESPACE = 'c0c1a7e0-7d1b-4c5e-9a55-0d6e2f3b8a41'

/**
 * Ids for what a source calls otherwise. The same source gives the same ones each time, so that an import that is run
 * again finds what it has stored.
 */
export class ImportIds {
  readonly #source: string

  constructor(source: string) {
    this.#source = source
  }

  conversation(reference: string): string {
    return uuidFor(reference, `conversation\n${this.#source}\n${reference}`)
  }

  /** @param line of a message that has no id in the source */
  message(conversationId: string, reference: string | undefined, line: number): string {
    if (reference === undefined) return uuidv5(`line\n${conversationId}\n${line}`, NAMESPACE)
    return uuidFor(reference, `message\n${conversationId}\n${reference}`)
  }
}

function uuidFor(reference: string, name: string): string {
  const lower = reference.toLowerCase()
  return UUID.test(lower) ? lower : uuidv5(name, NAMESPACE)
}
