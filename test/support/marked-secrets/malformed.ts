/**
 * Requests that are none, over HTTP.
 *
 * @param refused text that they carry
 * @param shown text that the answer to one of them has to repeat
 */
export function malformedRequests(
  token: string,
  refused: string,
  shown: string
): { path: string; init: RequestInit }[] {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const post = (body: string, more: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: { ...headers, ...more },
    body
  })
  const mutation = `mutation { sendMessage(input: { conversationId: "x", body: "${refused}" }) { message { id } } }`
  return ['/graphql', '/graphql/stream'].flatMap((path) => [
    { path, init: post(refused) },
    { path, init: post(`{"query": "{ viewer { id } }", "${refused}`) },
    { path, init: post(`{"query": ${JSON.stringify(mutation)}, "variables": "${refused}"}`) },
    { path, init: post(JSON.stringify([{ query: mutation }])) },
    { path, init: post(JSON.stringify({ query: { refused } })) },
    {
      path,
      init: post(
        JSON.stringify({
          query: '{ viewer { id } }',
          operationName: 'Other',
          extensions: { persistedQuery: { version: 1, sha256Hash: 'no', refused } }
        })
      )
    },
    { path, init: post(JSON.stringify({ query: mutation, variables: { more: refused.repeat(40_000) } })) },
    { path, init: post(refused, { 'content-type': 'text/plain' }) },
    { path, init: post('{}', { authorization: refused }) },
    {
      path,
      init: post('{}', {
        authorization: `Basic ${refused}`,
        cookie: `session=${refused}`,
        origin: `https://${refused}`
      })
    },
    { path: `${path}?query=${encodeURIComponent(mutation)}&variables=${refused}`, init: { headers } },
    {
      path: `${path}?query=${encodeURIComponent(mutation)}`,
      init: { headers: { ...headers, 'apollo-require-preflight': 'true' } }
    },
    { path: `${path}/${refused}/%ff?token=${refused}`, init: { headers } },
    { path, init: post(JSON.stringify({ query: `{ ${shown} }` })) }
  ])
}

/** First messages over a socket, likewise. */
export function malformedMessages(refused: string): string[] {
  return [
    refused,
    JSON.stringify({ type: refused, payload: refused }),
    JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${refused}` } }),
    JSON.stringify({ type: 'connection_init', payload: { authorization: [refused] } }),
    JSON.stringify({ type: 'connection_init', payload: refused }),
    JSON.stringify({ type: 'subscribe', id: refused, payload: { query: `{ ${refused} }` } }),
    JSON.stringify({ type: 'connection_init', payload: { more: refused.repeat(40_000) } })
  ]
}
