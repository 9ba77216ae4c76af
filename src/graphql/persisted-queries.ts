import { hash } from 'node:crypto'
import type { PersistedQueryOptions } from '@apollo/server'
import { GraphQLError } from 'graphql'
import { LRUCache } from 'lru-cache'
import { BadUserInput } from '../errors.js'
import type { OperationList } from '../operation-list.js'

/** What a request says about the operation that it wants, over any transport. */
export interface OperationSource {
  query?: string | null | undefined
  extensions?: Record<string, unknown> | null | undefined
}

/** Characters of all texts together that clients have persisted. */
const MAX_CHARACTERS = 8 * 1024 * 1024
const MAX_TEXT_CHARACTERS = 256 * 1024

/**
 * Operations that clients name by a hash instead of sending their text: Apollo's automatic persisted queries, whose
 * texts are kept once a client has sent them; or, with a list, those of the list and no others.
 */
export class PersistedQueries {
  readonly #list: OperationList | null
  readonly #listedTexts: ReadonlySet<string>
  readonly #texts: LRUCache<string, string>

  /** @param list the only operations that may run; null for any */
  constructor(list: OperationList | null, maxCharacters = MAX_CHARACTERS) {
    this.#list = list
    this.#listedTexts = new Set(list?.values())
    this.#texts = new LRUCache({
      maxSize: maxCharacters,
      maxEntrySize: Math.min(maxCharacters, MAX_TEXT_CHARACTERS),
      sizeCalculation: (text, key) => text.length + key.length
    })
  }

  /**
   * The text of the operation that a request wants. With a list, an id has the last word over a text beside it: clients
   * print the same operation in more than one way.
   *
   * @throws BadUserInput for an operation that is not on the list, or a hash that is none or not that of the text
   * @throws GraphQLError PersistedQueryNotFound, upon which clients of the protocol send the text as well
   */
  textOf(source: OperationSource): string {
    const text = this.#find(source)
    if (text === undefined) throw new GraphQLError('PersistedQueryNotFound')
    return text
  }

  /**
   * For Apollo, which finds texts by itself but takes any.
   *
   * @returns the text, where it is known or sent
   * @throws BadUserInput as {@link textOf}, and for an id of the list beside another text than its own
   */
  requireAllowed(source: OperationSource): string | undefined {
    const text = this.#find(source)
    if (this.#list && source.query && source.query !== text) throw notListed()
    return text
  }

  /** Keeps the text of a request that names it by its hash too. Only for what was found valid. */
  keep({ query, extensions }: OperationSource): void {
    const id = idOf(extensions)
    if (id !== null && query && !this.#list) this.#texts.set(id, query)
  }

  /** Where Apollo looks texts up, and puts them once their documents are valid. */
  forApollo(): NonNullable<PersistedQueryOptions['cache']> {
    // It writes `apq:` before each.
    const idIn = (key: string) => key.slice(key.indexOf(':') + 1)
    return {
      get: async (key) => (this.#list ?? this.#texts).get(idIn(key)),
      set: async (key, text) => void (this.#list ?? this.#texts.set(idIn(key), text)),
      delete: async (key) => this.#texts.delete(idIn(key))
    }
  }

  #find({ query, extensions }: OperationSource): string | undefined {
    const id = idOf(extensions)
    if (this.#list) return this.#findListed(this.#list, id, query)
    if (id === null) return query ?? ''
    if (!query) return this.#texts.get(id)
    if (id !== hash('sha256', query)) throw malformed('sha256Hash is not the SHA-256 of the query')
    return query
  }

  #findListed(list: OperationList, id: string | null, query: string | null | undefined): string {
    const text = id === null ? query : list.get(id)
    if (text && (id !== null || this.#listedTexts.has(text))) return text
    throw notListed()
  }
}

function idOf(extensions: OperationSource['extensions']): string | null {
  const persistedQuery = extensions?.persistedQuery
  if (persistedQuery === undefined || persistedQuery === null) return null
  const { version, sha256Hash } = persistedQuery as Record<string, unknown>
  if (version !== 1) throw malformed('version must be 1')
  if (typeof sha256Hash !== 'string') throw malformed('sha256Hash must be a text')
  return sha256Hash
}

function malformed(what: string): BadUserInput {
  return new BadUserInput('extensions.persistedQuery', `extensions.persistedQuery: ${what}.`)
}

function notListed(): BadUserInput {
  return new BadUserInput('query', 'This server runs the operations of its list only, and this is none of them.')
}
