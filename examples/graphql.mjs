// Sends one GraphQL operation and prints the answer.
//
//   TOKEN=$(npm run -s token -- alice) npm run -s graphql -- '{ viewer { name } }'

const [query, variables = '{}'] = process.argv.slice(2)
const { TOKEN: token, URL: url = 'http://localhost:4000/graphql' } = process.env
if (!query) {
  console.error("usage: TOKEN=<bearer token> npm run -s graphql -- '<operation>' ['<variables as JSON>']")
  process.exit(1)
}

/** Ends with a sentence. */
function fail(message) {
  console.error(message)
  process.exit(1)
}

function parse(text, failure) {
  try {
    return JSON.parse(text)
  } catch {
    return fail(failure)
  }
}

const body = { query, variables: parse(variables, 'The variables are not JSON.') }
const response = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  body: JSON.stringify(body)
}).catch(() => fail(`There is no server at ${url}.`))
const answer = parse(await response.text(), `What answers at ${url} is not Conclave: HTTP ${response.status}.`)
console.log(JSON.stringify(answer))
process.exitCode = answer.data && !answer.errors ? 0 : 1
