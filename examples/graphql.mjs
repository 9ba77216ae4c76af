// Sends one GraphQL operation and prints the answer.
//
//   TOKEN=$(npm run -s token -- alice) npm run -s graphql -- '{ viewer { name } }'

const [query, variables = '{}'] = process.argv.slice(2)
const { TOKEN: token, URL: url = 'http://localhost:4000/graphql' } = process.env
if (!query) {
  console.error("usage: TOKEN=<bearer token> npm run -s graphql -- '<operation>' ['<variables as JSON>']")
  process.exit(1)
}

const response = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  body: JSON.stringify({ query, variables: JSON.parse(variables) })
})
const answer = await response.json()
console.log(JSON.stringify(answer))
process.exitCode = answer.errors ? 1 : 0
