// Sends one GraphQL operation and prints the answer.
//
//   export TOKEN=$(npm run -s token -- alice)
//   npm run -s graphql -- '{ viewer { name } }'
//   npm run -s graphql -- CreateConversation input.title=Lunch 'input.memberIds=["bob"]'
//
// An operation is a document, or the name of one in documents/. A variable is `name=value`, or `name.field=value` of an
// input object; the value is JSON where it can be read as such, and text otherwise.

import { readyNames, readyOperation } from './ready-operation.mjs'

const [operation, ...assignments] = process.argv.slice(2)
const { TOKEN: token, URL: url = 'http://localhost:4000/graphql' } = process.env
if (!operation) {
  console.error(
    "usage: TOKEN=<bearer token> npm run -s graphql -- '<operation, or the name of one in documents/>' [variable=value ...]"
  )
  process.exit(1)
}

/** Ends with a sentence. */
function fail(message) {
  console.error(message)
  process.exit(1)
}

function documentOf(operation) {
  if (!/^\w+$/.test(operation)) return operation
  return (
    readyOperation(operation) ??
    fail(`No operation in documents/ is named ${operation}. There are: ${readyNames().join(', ')}.`)
  )
}

function variablesOf(document, assignments) {
  const variables = {}
  for (const assignment of assignments) {
    const [, path, value] =
      /^([\w.]+)=(.*)$/s.exec(assignment) ?? fail(`A variable is name=value; this is not: ${assignment}`)
    const fields = path.split('.')
    if (!new RegExp(`\\$${fields[0]}\\b`).test(document)) fail(`The operation has no variable ${fields[0]}.`)
    const last = fields.pop()
    const inner = fields.reduce((object, field) => (object[field] ??= {}), variables)
    if (typeof inner !== 'object')
      fail(`${fields.join('.')} is not an input object; this gives it a field: ${assignment}`)
    inner[last] = jsonOrText(value)
  }
  return variables
}

function jsonOrText(value) {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

const query = documentOf(operation)
const body = { query, variables: variablesOf(query, assignments) }
const response = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  body: JSON.stringify(body)
}).catch(() => fail(`There is no server at ${url}.`))
const text = await response.text()
const answer = jsonOrText(text)
if (typeof answer !== 'object' || !answer) fail(`What answers at ${url} is not Conclave: HTTP ${response.status}.`)
console.log(JSON.stringify(answer))
process.exitCode = answer.data && !answer.errors ? 0 : 1
