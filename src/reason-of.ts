import { ConclaveError } from './errors.js'

/** What may be written down of an error: nothing that it carries beside its words, and of those no values. */
export interface Fault {
  name: string
  reason: string
  /** Where it came from, one frame to a line, without the words above them. */
  stack?: string
}

const MAX_CHARACTERS = 500
const MAX_READ = 4 * MAX_CHARACTERS
/** Errors of our own. Their words are chosen with logs in mind. */
const OWN = new Set([
  'StartError',
  'ConfigError',
  'MasterKeyError',
  'DecryptionError',
  'UntrueWrapping',
  'JobFailure',
  'TransferError'
])
/**
 * Classes of SQLSTATE whose words name columns, constraints, logins or limits, and no value. Left out above all are
 * data exceptions (22) and what `raise` or an extension says; of class 42 syntax errors, which quote the statement.
 */
const WITHOUT_VALUES = /^(08|23|25|28|3D|40|42(?!601)|53|55|57)/

/**
 * What an error says, for a log, a console or a job that has failed. Most errors come from elsewhere, and may quote
 * what they were given: a row, a parameter, a document, a URL with a password. What they quote is left out; so is
 * all that hangs on them, such as the `detail` and `where` of PostgreSQL or the `command` of Redis.
 *
 * @param error whatever was thrown, or words of which nothing is known
 */
export function reasonOf(error: unknown): string {
  if (typeof error === 'string') return withoutValues(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'not an error'
  // What V8 cannot parse it repeats, and not always in quotation marks.
  if (error instanceof SyntaxError) return 'something could not be parsed'
  const code = codeOf(error)
  if (error instanceof ConclaveError || OWN.has(error.name))
    return shortened(withoutPasswords(error.message.slice(0, MAX_READ)))
  const isDatabases = /^[0-9A-Z]{5}$/.test(code) && 'severity' in error
  const words =
    isDatabases && WITHOUT_VALUES.test(code) ? withoutPasswords(firstLine(error.message)) : withoutValues(error.message)
  const named = words || error.name
  return code && !named.includes(code) ? `${shortened(named)} (${code})` : shortened(named)
}

/** The same with its name and the place that it came from. */
export function faultOf(error: unknown): Fault {
  const name = error instanceof Error ? error.name : typeof error
  const stack = error instanceof Error ? framesOf(error) : ''
  return { name, reason: reasonOf(error), ...(stack ? { stack } : {}) }
}

/** A fault in lines, for people. */
export function faultText(error: unknown): string {
  const { name, reason, stack } = faultOf(error)
  return [`${name}: ${reason}`, ...(stack ? [stack] : [])].join('\n')
}

/** The words come first in a stack, and may have lines of their own that look like frames. */
function framesOf({ stack = '', message }: Error): string {
  const at = stack.indexOf(message)
  const lines = (at < 0 ? stack : stack.slice(at + message.length)).split('\n')
  return lines.filter((line) => /^ +at /.test(line)).join('\n')
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

/**
 * The first line, from the first quotation mark of a kind to the last: a value may hold some itself. To the end where
 * one of them has no partner, or the words would go on. An apostrophe is none.
 */
function withoutValues(words: string): string {
  const line = firstLine(words)
  const goesOn = line.length < words.length
  return shortened(
    [/"/g, /`/g, /(?<!\w)'|'(?!\w)/g].reduce((left, mark) => withoutQuoted(left, mark, goesOn), withoutPasswords(line))
  )
}

function withoutQuoted(words: string, mark: RegExp, goesOn: boolean): string {
  const places = [...words.matchAll(mark)].map(({ index }) => index)
  const [first, last] = [places[0], places.at(-1)]
  if (first === undefined || last === undefined) return words
  const rest = goesOn || places.length % 2 === 1 ? '' : words.slice(last + 1)
  return `${words.slice(0, first)}${words[first]}…${words[first]}${rest}`
}

/** Libraries put what a row or a statement held into the lines below. What is longer may be made to be slow to look through. */
function firstLine(words: string): string {
  return words.slice(0, MAX_READ).split('\n', 1)[0] ?? ''
}

/** URLs keep scheme, host and path. */
function withoutPasswords(words: string): string {
  return words.replace(/\b([a-z][a-z0-9+.-]*:\/\/)(?:\S*@)?([^\s?]*)(?:\?[^\s'"`]*)?/gi, '$1$2')
}

function shortened(words: string): string {
  return words.length > MAX_CHARACTERS ? `${words.slice(0, MAX_CHARACTERS)}…` : words
}
