import { execFileSync } from 'node:child_process'
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
 * schema.graphql must be what the code emits, and must hold everything of the public contract but
 * what docs/schema-missing.txt lists. That list only shrinks.
 */

const EMITTED = 'schema.graphql'
const CONTRACT = 'docs/public-contract.graphql'
/** Where the contract is kept for the whole team; beside the project, and not part of it. */
const SHARED_CONTRACT = '../shared/schema-target.graphql'
const MISSING = 'docs/schema-missing.txt'

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

function listed(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

/** The list in each of its earlier versions; null where there is no history to look at. */
function listedBefore(): string[][] | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const commits = git('log', '--format=%H', '--', MISSING).split('\n').filter(Boolean)
    return commits.map((commit) => listed(git('show', `${commit}:${MISSING}`)))
  } catch {
    return null
  }
}

function problems(): string[] {
  const { schema, text } = emitted()
  const found = missing(schema)
  const allowed = listed(readFileSync(MISSING, 'utf8'))
  const before = listedBefore()
  const problem = (holds: boolean, sentence: string) => (holds ? [] : [sentence])
  return [
    ...problem(readFileSync(EMITTED, 'utf8') === text, `${EMITTED} is stale: run npm run schema.`),
    ...problem(
      !existsSync(SHARED_CONTRACT) || readFileSync(SHARED_CONTRACT, 'utf8') === readFileSync(CONTRACT, 'utf8'),
      `${CONTRACT} differs from the contract that the team shares.`
    ),
    ...found
      .filter((line) => !allowed.includes(line))
      .map((line) => `The schema lost something of the contract: ${line}`),
    ...allowed
      .filter((line) => !found.includes(line))
      .map((line) => `No longer missing, take it out of ${MISSING}: ${line}`),
    ...allowed
      .filter((line) => before?.some((earlier) => !earlier.includes(line)))
      .map((line) => `${MISSING} only shrinks; this is new in it: ${line}`)
  ]
}

if (process.argv.includes('--check')) {
  const found = problems()
  if (listedBefore() === null) console.error(`There is no history here: that ${MISSING} only shrinks was not checked.`)
  for (const problem of found) console.error(problem)
  process.exitCode = found.length > 0 ? 1 : 0
} else if (process.argv.includes('--list-missing')) {
  console.log(missing(emitted().schema).join('\n'))
} else {
  writeFileSync(EMITTED, emitted().text)
}
