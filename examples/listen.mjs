// Prints the messages of a conversation as they come, and resumes where it was after a lost connection.
//
//   TOKEN=$(npm run -s token -- bob) npm run -s listen -- <conversation id>

import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { readyOperation } from './ready-operation.mjs'

const [conversationId] = process.argv.slice(2)
const { TOKEN: token, URL: url = 'http://localhost:4000/graphql' } = process.env
if (!conversationId || !token) {
  console.error('usage: TOKEN=<bearer token> npm run -s listen -- <conversation id>')
  process.exit(1)
}

const authorization = `Bearer ${token}`
const client = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { authorization },
  retryAttempts: 0
})

// Where the conversation stands now. Events after this point are delivered, whenever the subscription begins.
async function currentCursor() {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({
      query: readyOperation('EventCursor'),
      variables: { id: conversationId }
    })
  })
  const { data, errors } = await response.json()
  if (errors) throw new Error(errors[0].message)
  if (!data.conversation) throw new Error('There is no such conversation, or you have no access to it.')
  return data.conversation.eventCursor
}

async function listen(after) {
  const query = readyOperation('MessageEvents')
  let cursor = after
  for (;;) {
    try {
      for await (const { data, errors } of client.iterate({ query, variables: { conversationId, after: cursor } })) {
        if (errors) throw errors
        // An application keeps each message under its id: this may be one that it has, or an edited one that it never saw.
        const { type, message } = data.messageEvents
        console.log(`#${message.sequence} ${type} ${message.sender?.name ?? '*'}: ${message.body ?? message.status}`)
        cursor = data.messageEvents.cursor
      }
      return
    } catch (error) {
      // A list of errors is the server's answer, and 4403 its answer to the token; anything else is the network.
      if (Array.isArray(error) || error?.code === 4403) throw error
      console.error('Connection lost. Trying again.')
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}

try {
  const cursor = await currentCursor()
  console.log('Listening.')
  await listen(cursor)
} catch (error) {
  const message = error?.[0]?.message || error?.reason || error?.message || error
  console.error(message === 'fetch failed' ? `There is no server at ${url}.` : message)
  process.exitCode = 1
} finally {
  // It would keep a socket open for an attempt that has failed.
  await client.dispose()
}
