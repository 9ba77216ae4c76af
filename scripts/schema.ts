import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import {
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLSchema,
  lexicographicSortSchema,
  printSchema
} from 'graphql'
import { createSchema } from '../src/graphql/schema.js'

/**
 * `node dist/scripts/schema.js` writes schema.graphql from the code; with `--check` it compares:
 * schema.graphql must be what the code emits, and must hold everything of the public contract.
 */

const EMITTED = 'schema.graphql'
const CONTRACT = 'docs/public-contract.graphql'
/** Where the contract is kept for the whole team; beside the project, and not part of it. */
const SHARED_CONTRACT = '../shared/schema-target.graphql'

const HEADER = '# Emitted from the code by npm run schema. Do not edit.\n\n'

function emitted(): { schema: GraphQLSchema; text: string } {
  const schema = lexicographicSortSchema(createSchema({ devToken: true }))
  return { schema, text: `${HEADER}${printSchema(schema)}\n` }
}

/** What a client that was written against the contract would miss, one sentence each. */
function missing(schema: GraphQLSchema): string[] {
  const contract = buildSchema(readFileSync(CONTRACT, 'utf8'))
  const defaults = findDangerousChanges(contract, schema).filter(({ type }) => type === 'ARG_DEFAULT_VALUE_CHANGE')
  return [...findBreakingChanges(contract, schema), ...defaults].map(({ description }) => description).sort()
}

function problems(): string[] {
  const { schema, text } = emitted()
  const problem = (holds: boolean, sentence: string) => (holds ? [] : [sentence])
  return [
    ...problem(readFileSync(EMITTED, 'utf8') === text, `${EMITTED} is stale: run npm run schema.`),
    ...problem(
      !existsSync(SHARED_CONTRACT) || readFileSync(SHARED_CONTRACT, 'utf8') === readFileSync(CONTRACT, 'utf8'),
      `${CONTRACT} differs from the contract that the team shares.`
    ),
    ...missing(schema).map((line) => `The schema lost something of the contract: ${line}`)
  ]
}

if (process.argv.includes('--check')) {
  const found = problems()
  for (const problem of found) console.error(problem)
  process.exitCode = found.length > 0 ? 1 : 0
} else {
  writeFileSync(EMITTED, emitted().text)
}
