import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  DeleteConversationDocument,
  DevTokenDocument,
  LeaveConversationDocument,
  MarkReadDocument,
  RemoveMemberDocument
} from '../../documents/generated.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { ConsoleServer } from '../support/browser/console-server.js'
import { Visitor } from '../support/browser/visitor.js'
import { createConversation, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** Somebody with more conversations than come at once. The tests follow each other. */

const CASES = 34
const PAGE = 30
const PATIENCE = { timeout: 20_000, interval: 100 }

describe.skipIf(!hasBrowser)('a list of conversations of more than one page', () => {
  let database: TestDatabase
  let server: ConsoleServer
  let browser: Browser
  let alice: Visitor
  let bob: GraphQLClient
  const ids: string[] = []
  /** Of the list, since it was opened again or the connection was lost. */
  let pagesRead = 0
  /** When everything was said that is said while the connection holds. */
  const ordered = [1, 20, 2, ...downFrom(CASES).filter((number) => ![1, 2, 20].includes(number))]
  const first = ordered.slice(0, PAGE)

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await ConsoleServer.start({ DATABASE_URL: database.url })
    browser = await launchBrowser()
    bob = await another(server, 'bob')
    for (let number = 1; number <= CASES; number++) {
      const id = await createConversation(bob, ['alice'], { title: `Case ${number}` })
      await send(bob, id, `said in ${number}`)
      ids[number] = id
    }
    alice = await Visitor.as('Alice', browser, server.url)
    alice.page.on('requestfinished', (request) => {
      if (request.postData()?.includes('"Inbox"')) pagesRead += 1
    })
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await database?.drop()
  })

  it('begins with the latest of them', async () => {
    await untilListed(downFrom(CASES).slice(0, PAGE))
  })

  it('has an older one at its top as soon as something is said there', async () => {
    await send(bob, ids[2] ?? '', 'once more')
    await untilListed([2, ...downFrom(CASES).slice(0, PAGE)])
    await alice.page.getByRole('link', { name: /^.*Case 2\b.*once more.*2 unread/ }).waitFor()
  })

  it('counts as unread what was not read in another window either', async () => {
    const unread = alice.page.getByRole('link', { name: /Case 2\b/ }).getByText('unread')
    const elsewhere = await another(server, 'alice')
    await elsewhere.run(MarkReadDocument, { conversationId: ids[2] ?? '', sequence: 2 })
    await unread.waitFor({ state: 'detached' })
  })

  it('has each of the others once, in the order of what was said last, when more are asked for', async () => {
    await alice.page.getByRole('button', { name: 'Show more' }).click()
    await untilListed([2, ...downFrom(CASES).filter((number) => number !== 2)])
    await alice.page.getByRole('button', { name: 'Show more' }).waitFor({ state: 'detached' })
  })

  it('keeps that order whichever of them is next', async () => {
    for (const number of [20, 1]) await send(bob, ids[number] ?? '', 'and again')
    await untilListed(ordered)
  })

  it('has it from the server as well, when it is opened again', async () => {
    pagesRead = 0
    await alice.page.reload()
    await untilListed(first)
    // Once more after memberships are told.
    await vi.waitFor(() => expect(pagesRead).toBe(2), PATIENCE)
  })

  it('has at its top what was said on a page that was not read while the connection was lost', async () => {
    alice.forgiveNetwork()
    await alice.page.context().setOffline(true)
    await alice.page.getByText('Reconnecting…').waitFor({ timeout: 60_000 })
    await send(bob, ids[3] ?? '', 'are you there?')
    pagesRead = 0
    await alice.page.context().setOffline(false)
    await alice.page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 })
    await untilListed([3, ...first])
  })

  it('has an empty conversation as soon as somebody takes them in, by creating it as by adding them', async () => {
    const created = await createConversation(bob, ['alice'], { title: 'Case 101' })
    await untilListed([101, 3, ...first])
    const added = await createConversation(bob, [], { title: 'Case 102' })
    await bob.run(AddMembersDocument, { conversationId: added, userIds: ['alice'] })
    await untilListed([102, 101, 3, ...first])
    const entry = alice.page.getByRole('link', { name: /Case 101/ })
    await entry.getByText('Nothing was said yet.').waitFor()
    ids[101] = created
    ids[102] = added
  })

  it('has read one page for that, although all is subscribed to anew', () => {
    expect(pagesRead).toBe(1)
  })

  it('has lost what was left in another window, what was deleted, and where they were removed', async () => {
    const elsewhere = await another(server, 'alice')
    await elsewhere.run(LeaveConversationDocument, { conversationId: ids[101] ?? '' })
    await untilListed([102, 3, ...first])
    await bob.run(RemoveMemberDocument, { conversationId: ids[102] ?? '', userId: 'alice' })
    await untilListed([3, ...first])
    await bob.run(DeleteConversationDocument, { conversationId: ids[3] ?? '' })
    await untilListed(first)
  })

  it('has lost what was left while the connection was, and has what they were taken into', async () => {
    await alice.page.context().setOffline(true)
    await alice.page.getByText('Reconnecting…').waitFor({ timeout: 60_000 })
    const [latest, ...others] = first
    await bob.run(RemoveMemberDocument, { conversationId: ids[latest ?? 0] ?? '', userId: 'alice' })
    await createConversation(bob, ['alice'], { title: 'Case 103' })
    await alice.page.context().setOffline(false)
    await alice.page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 })
    await untilListed([103, ...others])
  })

  it('says why it is told of no memberships, and that no longer once it is again', async () => {
    const { page } = alice
    let isRefused = true
    await page.routeWebSocket('**/graphql', (socket) => {
      const server = socket.connectToServer()
      socket.onMessage((text) => {
        const { id, type, payload } = JSON.parse(String(text))
        if (!isRefused || type !== 'subscribe' || !payload.query.includes('membershipEvents')) return server.send(text)
        const payloadOfError = [{ message: 'Not now.', extensions: { code: 'FORBIDDEN' } }]
        socket.send(JSON.stringify({ id, type: 'error', payload: payloadOfError }))
      })
    })
    await page.reload()
    const refusal = page.getByRole('navigation', { name: 'Conversations' }).getByText('Not now.')
    await refusal.waitFor()
    isRefused = false
    // It tries again in a while, and at once where the network comes back.
    await page.evaluate("dispatchEvent(new Event('online'))")
    await refusal.waitFor({ state: 'detached' })
  })

  async function listed(): Promise<number[]> {
    const titles = await alice.page.locator('.conversations .entry-title').allInnerTexts()
    return titles.map((title) => Number(title.replace('Case ', '')))
  }

  async function untilListed(numbers: number[]): Promise<void> {
    await vi.waitFor(async () => expect(await listed()).toEqual(numbers), PATIENCE)
  }
})

/** Somebody who has no window of this browser. */
async function another({ url }: ConsoleServer, userId: string): Promise<GraphQLClient> {
  const { devToken } = await new GraphQLClient(url, null).run(DevTokenDocument, { userId })
  return new GraphQLClient(url, devToken.token)
}

function downFrom(number: number): number[] {
  return Array.from({ length: number }, (_, index) => number - index)
}
