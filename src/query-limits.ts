import type { z } from 'zod'
import { wholeNumber } from './whole-number.js'

/**
 * What a document, or a request for one of its operations, may have at most. All but `values` and `cost` depends on the
 * document alone. Counts are taken with fragments written out wherever they are spread, and are those of the whole document but
 * for `depth` and `rootFields`, which are those of the operation that has most.
 */
export interface QueryLimits {
  /** Of the text, in UTF-16 code units. */
  characters: number
  /** Of the text, as the parser counts them: without comments. */
  tokens: number
  /** Definitions to choose from by `operationName`; one of them is executed. */
  operations: number
  /** Fields, fragment spreads and inline fragments. */
  fields: number
  /** Fields below each other; what lies below `__schema` and `__type` is not counted: graphql's own rule bounds that. */
  depth: number
  rootFields: number
  aliases: number
  directives: number
  /** Selections of a response name that its selection set has already: validation compares each with all of them. */
  repeats: number
  /** In the variables: members of objects and items of lists, those within others included. Counting ends at the first one too many. */
  values: number
  /** Of the operation that is executed, with its variables: see graphql/cost-limit.ts. */
  cost: number
}

/** With so many, few documents are nested as deep as the parser's stack goes: it calls itself for each level. */
const MAX_TOKENS = 3_000

/** The variables of the environment that set them. */
export const queryLimitVariables = {
  QUERY_MAX_CHARACTERS: wholeNumber(1, 1_000_000).default(30_000),
  QUERY_MAX_TOKENS: wholeNumber(1, MAX_TOKENS).default(1_000),
  QUERY_MAX_OPERATIONS: wholeNumber(1, 1_000).optional(),
  QUERY_MAX_FIELDS: wholeNumber(1, 10_000).default(1_000),
  QUERY_MAX_DEPTH: wholeNumber(1, 100).default(10),
  QUERY_MAX_ROOT_FIELDS: wholeNumber(1, 1_000).default(20),
  QUERY_MAX_ALIASES: wholeNumber(0, 1_000).default(30),
  QUERY_MAX_DIRECTIVES: wholeNumber(0, 1_000).default(50),
  QUERY_MAX_REPEATS: wholeNumber(0, 1_000).default(50),
  QUERY_MAX_VALUES: wholeNumber(1, 100_000).default(5_000),
  QUERY_MAX_COST: wholeNumber(1, 1_000_000_000).default(20_000)
}

type Variables = z.infer<z.ZodObject<typeof queryLimitVariables>>

/** @param production clients of a deployment send one operation; an explorer sends all that its editor holds */
export function queryLimitsOf(env: Variables, production: boolean): QueryLimits {
  return {
    characters: env.QUERY_MAX_CHARACTERS,
    tokens: env.QUERY_MAX_TOKENS,
    operations: env.QUERY_MAX_OPERATIONS ?? (production ? 1 : 50),
    fields: env.QUERY_MAX_FIELDS,
    depth: env.QUERY_MAX_DEPTH,
    rootFields: env.QUERY_MAX_ROOT_FIELDS,
    aliases: env.QUERY_MAX_ALIASES,
    directives: env.QUERY_MAX_DIRECTIVES,
    repeats: env.QUERY_MAX_REPEATS,
    values: env.QUERY_MAX_VALUES,
    cost: env.QUERY_MAX_COST
  }
}
