import { hash } from 'node:crypto'
import type { DocumentStore as ApolloDocumentStore } from '@apollo/server'
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, specifiedRules, validate } from 'graphql'
import { LRUCache } from 'lru-cache'
import { ConclaveError, QueryTooComplex } from '../errors.js'
import type { Settings } from '../services.js'
import { requireWithinLimits } from './document-limits.js'
import { extraRules, parseOptions, validationOptions } from './validation-rules.js'

/** Of memory, as {@link documentBytes} reckons it: several hundred documents such as clients send. */
const MAX_BYTES = 64 * 1024 * 1024
/** Of one document: a larger one is parsed each time, and pushes nothing out. */
const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024

/**
 * The documents that were parsed and found valid, one store for all transports of a process. What fails is not kept: it
 * is found to fail again at the cost of one parsing, and takes no room from what is good.
 */
export class DocumentStore {
  readonly #documents: LRUCache<string, DocumentNode>

  constructor(maxBytes = MAX_BYTES) {
    this.#documents = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: Math.min(maxBytes, MAX_DOCUMENT_BYTES),
      sizeCalculation: documentBytes
    })
  }

  /**
   * Parses what is not known yet, holds it to the limits, and validates it, in this order.
   *
   * @param schema the same every time
   * @returns the document, or what is wrong with it
   */
  prepare(
    schema: GraphQLSchema,
    config: Pick<Settings, 'mode' | 'introspection' | 'queryLimits'>,
    query: string
  ): DocumentNode | readonly [GraphQLError, ...GraphQLError[]] {
    try {
      const { characters } = config.queryLimits
      if (query.length > characters) throw new QueryTooComplex('characters', characters, query.length)
      const key = hash('sha256', query)
      const known = this.#documents.get(key)
      if (known) return known
      const document = parseWithinLimits(query, config)
      const rules = [...specifiedRules, ...extraRules(config)]
      const [first, ...more] = validate(schema, document, rules, validationOptions(config))
      // The second one would only say that there are too many.
      if (first) return config.mode === 'production' ? [first] : [first, ...more]
      this.#documents.set(key, document)
      return document
    } catch (error) {
      if (error instanceof GraphQLError) return [error]
      if (error instanceof ConclaveError) return [new GraphQLError(error.message, { originalError: error })]
      // The parser and the rules call themselves for each level. Nothing else in here throws it.
      if (error instanceof RangeError) return [new GraphQLError('The query is nested too deeply.')]
      throw error
    }
  }

  /**
   * The same documents as Apollo looks them up and puts them there, once they are valid. It names them by the SHA-256 of
   * their text, behind a hash of the schema.
   */
  forApollo(): ApolloDocumentStore {
    const documents = this.#documents
    const textHash = (key: string) => key.slice(key.lastIndexOf(':') + 1)
    return {
      get: async (key) => documents.get(textHash(key)),
      set: async (key, document) => void documents.set(textHash(key), document),
      delete: async (key) => documents.delete(textHash(key))
    }
  }
}

/** The parser's words for too many tokens: it has no other sign of them. */
const TOO_MANY_TOKENS = /^Syntax Error: Document contains more tha[nt] \d+ tokens/

function parseWithinLimits(query: string, config: Pick<Settings, 'mode' | 'queryLimits'>): DocumentNode {
  const { queryLimits } = config
  let document: DocumentNode
  try {
    document = parse(query, parseOptions(config))
  } catch (error) {
    if (!TOO_MANY_TOKENS.test((error as Error).message)) throw error
    throw new QueryTooComplex('tokens', queryLimits.tokens, queryLimits.tokens + 1)
  }
  requireWithinLimits(document, queryLimits)
  return document
}

/**
 * What a document takes in memory, roughly, and rather too much than too little: eight bytes for each of its tree in JSON,
 * half of it for the code that may be compiled from it, and 64 for each character of its text, since tokens are kept and a comment of two is one.
 */
function documentBytes(document: DocumentNode): number {
  return 8 * JSON.stringify(document).length + 64 * (document.loc?.source.body.length ?? 0)
}
