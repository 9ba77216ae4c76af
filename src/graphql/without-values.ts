/**
 * What the engine says about a request, without what it quotes of it: a client's logs are no place for bodies, titles
 * and ids of messages either. Names of the schema, of variables and of what a document selects stay.
 */
export function withoutValues(message: string): string {
  const variable = /^Variable "\$\w+" got invalid value /.exec(message)?.[0]
  if (variable) return `${variable.trimEnd()}${reasonOf(message.slice(variable.length))}`
  for (const [pattern, words] of LITERALS) if (pattern.test(message)) return message.replace(pattern, words)
  return message
}

/** Of values in a document, and of texts that are none. Each pattern takes in all that follows the value's beginning. */
const LITERALS: [RegExp, string][] = [
  [/^(Syntax Error: .*?(?:found|Unexpected) (?:Name|String|BlockString|Int|Float)) "[\s\S]*$/, '$1.'],
  [/^(Syntax Error: Invalid [a-z ]*escape sequence): [\s\S]*$/i, '$1.'],
  [/^(Expected value of type "[^"]+"), found [\s\S]*$/, '$1.'],
  [/^((?:Enum "\w+"|\w+) cannot represent [a-z0-9 -]*value): [\s\S]*$/, '$1.'],
  [/^Value "[\s\S]*" does not exist in ("\w+" enum\.(?: Did you mean [\w ,"]+\?)?)$/, 'A value does not exist in $1'],
  [/^(Argument "\w+" has invalid value) [\s\S]*$/, '$1.']
]

/** Characters that are looked at from the end: a value may be long, and made to be slow to look through. */
const END = 1000
/** Where in a variable the fault is, and what it is, at the end of the engine's words. */
const PLACE = /(?: at "(?<path>[\w.]+)")?; /.source
const REASONS = [
  /(?<reason>Field "\w+" (?:of required type "[\w![\]]+" was not provided|is not defined by type "\w+")\.(?: Did you mean [\w ,"]+\?)?)$/,
  /(?<reason>Expected non-nullable type "[\w![\]]+" not to be null\.)$/,
  /(?<reason>Expected type "\w+" to be an object\.)$/,
  /(?<reason>Expected type "\w+"\.)(?: .*)?$/,
  /(?<reason>(?:Enum "\w+"|\w+) cannot represent [a-z0-9 -]*value)(?:: [\s\S]*)?$/,
  /(?<reason>Value) "[\s\S]*" (?<rest>does not exist in "\w+" enum\.(?: Did you mean [\w ,"]+\?)?)$/
].map(({ source }) => new RegExp(PLACE + source))

function reasonOf(rest: string): string {
  for (const pattern of REASONS) {
    const { path, reason, rest: more } = pattern.exec(rest.slice(-END))?.groups ?? {}
    if (!reason) continue
    const sentence = more ? `A value ${more}` : reason.replace(/(?<![.?])$/, '.')
    return `${path ? ` at "${path}"` : ''}; ${sentence}`
  }
  return '.'
}
