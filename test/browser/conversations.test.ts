import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  AddMembersDocument,
  ConversationsDocument,
  DeleteConversationDocument,
  DevTokenDocument,
  EditMessageDocument,
  MessagesDocument,
  ScheduleKeyDestructionDocument,
  SendMessageDocument,
  SetMemberRoleDocument
} from '../../documents/generated.js'
import { barriersOn } from '../support/browser/accessibility.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { ConsoleServer } from '../support/browser/console-server.js'
import { Visitor } from '../support/browser/visitor.js'
import { createConversation, eventCursor, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** Two people in two windows, on a server of its own. The tests follow each other, as what they do does. */

const LONG_LOG = 160
const PATIENCE = { timeout: 20_000, interval: 250 }

describe.skipIf(!hasBrowser)('two people in two windows', () => {
  let database: TestDatabase
  let server: ConsoleServer
  let browser: Browser
  let alice: Visitor
  let bob: Visitor
  let id: string

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await ConsoleServer.start({ DATABASE_URL: database.url })
    browser = await launchBrowser()
    alice = await Visitor.as('Alice', browser, server.url)
    bob = await Visitor.as('Bob', browser, server.url)
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await database?.drop()
  })

  it('begin a conversation: it appears in the other one’s list, unread, as it is written in', async () => {
    await alice.page.getByRole('button', { name: 'New' }).click()
    await alice.page.getByLabel('Title').fill('Ward 3, Mrs Lang')
    await alice.page.getByLabel('Members, by user id').fill('bob')
    expect(await barriersOn(alice.page)).toEqual([])
    await alice.page.getByRole('button', { name: 'Create' }).click()
    await alice.page.getByRole('heading', { name: 'Ward 3, Mrs Lang' }).waitFor()
    id = new URL(alice.page.url()).hash.split('/')[2] ?? ''
    await say(alice, 'She slept well.')
    const entry = bob.page.getByRole('link', { name: /Ward 3, Mrs Lang/ })
    await entry.getByText('1 unread').waitFor()
    await entry.click()
    await message(bob, 'She slept well.').waitFor()
    await entry.getByText('1 unread').waitFor({ state: 'detached' })
  })

  it('see each other type, read, answer, edit and delete', async () => {
    await alice.page.getByText('Read by Bob').waitFor()
    // Who types is told from time to time, and to those who listen by then.
    await vi.waitFor(async () => {
      await bob.page.getByLabel('Message', { exact: true }).pressSequentially('o')
      expect(await alice.page.getByText('Bob is typing…').count()).toBe(1)
    }, PATIENCE)
    await say(bob, 'Good. And the wound?')
    await message(alice, 'Good. And the wound?').waitFor()
    await alice.page.getByText('Bob is typing…').waitFor({ state: 'detached' })

    await act(alice, 'Good. And the wound?', 'Reply')
    await say(alice, 'Dri.')
    await message(bob, 'Bob: Good. And the wound?').waitFor()
    await act(alice, 'Dri.', 'Edit')
    expect(await barriersOn(alice.page)).toEqual([])
    await alice.page.getByLabel('Edited message').fill('Dry and closed.')
    await alice.page.getByRole('button', { name: 'Save' }).click()
    await message(bob, 'Dry and closed.').getByText('edited').waitFor()

    await say(alice, 'Wrong window.')
    await act(alice, 'Wrong window.', 'Delete')
    await message(bob, 'This message was deleted.').waitFor()
    expect(await message(bob, 'Wrong window.').count()).toBe(0)
  })

  it('edit by keyboard alone, and are where they were afterwards', async () => {
    const { page } = alice
    const edit = message(alice, 'Dry and closed.').last().getByRole('button', { name: 'Edit' })
    const hasFocus = async (element: Locator) => await element.and(page.locator(':focus')).waitFor()
    const field = page.getByLabel('Edited message')
    await edit.focus()
    await page.keyboard.press('Enter')
    await hasFocus(field)
    for (const key of ['Tab', 'Tab', 'Enter']) await page.keyboard.press(key)
    await field.waitFor({ state: 'detached' })
    await hasFocus(edit)
    await page.keyboard.press('Enter')
    await hasFocus(field)
    for (const key of ['Tab', 'Enter']) await page.keyboard.press(key)
    await field.waitFor({ state: 'detached' })
    await hasFocus(edit)
  })

  it('delete by keyboard alone, and are at what is left of the message, then at the next one', async () => {
    const { page } = alice
    for (const text of ['Too early.', 'In time.']) await say(alice, text)
    await message(alice, 'In time.').getByRole('button', { name: 'Delete' }).waitFor()
    await message(alice, 'Too early.').getByRole('button', { name: 'Delete' }).focus()
    await page.keyboard.press('Enter')
    const left = page.locator('.message:focus')
    await left.getByText('This message was deleted.').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await message(alice, 'In time.').locator(':focus').waitFor()
    await act(alice, 'In time.', 'Delete')
    await left.getByText('This message was deleted.').waitFor()
  })

  it('discard by keyboard alone, and are at the next one that was refused, then where they write', async () => {
    const { page } = alice
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('sendMessage')) return await route.continue()
      await route.fulfill({ json: { errors: [{ message: 'Not now.', extensions: { code: 'CONFLICT' } }] } })
    })
    const refused = ['No one', 'No two', 'No three']
    for (const text of refused) await say(alice, text)
    await vi.waitFor(async () => expect(await message(alice, 'Not sent: Not now.').count()).toBe(3), PATIENCE)
    const box = page.getByLabel('Message', { exact: true })
    const hasFocus = async (element: Locator) => await element.and(page.locator(':focus')).waitFor()
    await message(alice, 'No one').getByRole('button', { name: 'Discard' }).focus()
    await page.keyboard.press('Enter')
    await hasFocus(message(alice, 'No two').getByRole('button', { name: 'Try again' }))
    await page.keyboard.press('Enter')
    await hasFocus(box)
    await message(alice, 'No two').getByText('Not sent: Not now.').waitFor()
    for (const text of ['No three', 'No two']) {
      await message(alice, text).getByRole('button', { name: 'Discard' }).focus()
      await page.keyboard.press('Enter')
      await message(alice, text).waitFor({ state: 'detached' })
    }
    await hasFocus(box)
    await page.unroute('**/graphql')
  })

  it('take a reply back by keyboard alone, and are where they write', async () => {
    await act(alice, 'Dry and closed.', 'Reply')
    await alice.page.locator('.replying').getByRole('button', { name: 'Cancel' }).focus()
    await alice.page.keyboard.press('Enter')
    await alice.page.getByLabel('Message', { exact: true }).and(alice.page.locator(':focus')).waitFor()
  })

  it('find what they had begun to write when they come back to it, which was stored nowhere', async () => {
    const { page } = alice
    const box = page.getByLabel('Message', { exact: true })
    await act(alice, 'Dry and closed.', 'Reply')
    await box.fill('Since yest')
    await page.goto(`${server.url}/#/`)
    await box.waitFor({ state: 'detached' })
    const stored = await page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')
    expect(stored).not.toContain('Since yest')
    await page.getByRole('link', { name: /Ward 3, Mrs Lang/ }).click()
    expect(await box.inputValue()).toBe('Since yest')
    await page.locator('.replying').getByText('Dry and closed.').waitFor()
    await page.locator('.replying').getByRole('button', { name: 'Cancel' }).click()
    await box.fill('')
  })

  it('meet no barrier in the list of members', async () => {
    await alice.page.getByRole('button', { name: '2 members' }).click()
    await alice.page.getByRole('region', { name: 'Members' }).getByText('Bob').waitFor()
    expect(await barriersOn(alice.page)).toEqual([])
    await alice.page.getByRole('button', { name: '2 members' }).click()
  })

  it('are shown what is stored, byte by byte', async () => {
    await act(alice, 'She slept well.', 'What is stored')
    const stored = alice.page.getByRole('region', { name: 'What is stored of message 1' })
    await stored.getByText('suite byte: A256GCM').first().waitFor()
    const [row] = await database.query<{ hex: string }>(
      `select encode(envelope, 'hex') as hex from messages where conversation_id = '${id}' and sequence = 1`
    )
    const shown = await stored.locator('.bytes').innerText()
    expect(shown.replace(/\s/g, '')).toBe(row?.hex)
    expect(await barriersOn(alice.page)).toEqual([])
    await act(alice, 'She slept well.', 'What is stored')
  })

  it('lose nothing and are given nothing twice when the server is killed and comes back', {
    timeout: 120_000
  }, async () => {
    for (const visitor of [alice, bob]) visitor.forgiveNetwork()
    await server.killApi()
    await alice.page.getByText('Reconnecting…').waitFor()
    const said = ['Is this thing on?', 'It is not.', 'Patience.']
    for (const text of said) await say(alice, text)
    expect(await message(alice, 'Sending…').count()).toBe(said.length)
    await server.startApi()
    for (const visitor of [alice, bob]) await visitor.isLive()
    await message(bob, 'Patience.').waitFor()
    await message(alice, 'Sending…').first().waitFor({ state: 'detached' })
    for (const text of said) {
      expect(await message(alice, text).count(), text).toBe(1)
      expect(await message(bob, text).count(), text).toBe(1)
    }
    const { conversation } = await (await client('alice')).run(MessagesDocument, { id, last: 50 })
    const bodies = conversation?.messages.edges.map(({ node }) => node.body) ?? []
    expect(bodies.filter((body) => said.includes(body ?? ''))).toEqual(said)
  })

  it('are given nothing twice where the answer to a message was lost, and it is sent again', async () => {
    let isLost = false
    await alice.page.route('**/graphql', async (route) => {
      if (isLost || !route.request().postData()?.includes('sendMessage')) return await route.continue()
      isLost = true
      await route.fetch()
      await route.abort()
    })
    await say(alice, 'Did you get that?')
    await message(bob, 'Did you get that?').waitFor()
    await message(alice, 'Sending…').first().waitFor({ state: 'detached' })
    await say(alice, 'And this?')
    await message(bob, 'And this?').waitFor()
    await alice.page.unroute('**/graphql')
    expect(isLost).toBe(true)
    const { conversation } = await (await client('alice')).run(MessagesDocument, { id, last: 2 })
    expect(conversation?.messages.edges.map(({ node }) => node.body)).toEqual(['Did you get that?', 'And this?'])
    for (const visitor of [alice, bob]) await visitor.isLive()
  })

  it('see what is on its way beside the same words that they have said elsewhere meanwhile', async () => {
    const held = Promise.withResolvers<void>()
    await alice.page.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('sendMessage')) await held.promise
      await route.continue()
    })
    await say(alice, 'On my way.')
    await message(alice, 'Sending…').waitFor()
    await (await client('alice')).run(SendMessageDocument, { input: { conversationId: id, body: 'On my way.' } })
    await message(bob, 'On my way.').waitFor()
    await vi.waitFor(async () => expect(await message(alice, 'On my way.').count()).toBe(2), PATIENCE)
    expect(await message(alice, 'Sending…').count()).toBe(1)
    held.resolve()
    await message(alice, 'Sending…').waitFor({ state: 'detached' })
    expect(await message(alice, 'On my way.').count()).toBe(2)
    await alice.page.unroute('**/graphql')
  })

  it('see a rotation as it happens', async () => {
    await alice.page.getByRole('link', { name: /^Keys/ }).click()
    await alice.page.getByRole('button', { name: 'Rotate now' }).click()
    await alice.page.getByRole('button', { name: /^v2 on request/ }).waitFor()
    await bob.page.getByRole('link', { name: 'Keys v2' }).waitFor()
    await alice.page.getByRole('link', { name: /Back to the conversation/ }).click()
    await say(alice, 'New key, same room.')
    await bob.page.getByText('From here on under key version 2').waitFor()
    await message(bob, 'She slept well.').waitFor()
  })

  it('see messages go with their key', { timeout: 90_000 }, async () => {
    const carol = await client('carol', ['keys:admin'])
    await carol.run(ScheduleKeyDestructionDocument, { conversationId: id, version: 1, after: 'PT1S' })
    for (const visitor of [alice, bob]) {
      await message(visitor, 'The key of this message was destroyed.').first().waitFor({ timeout: 30_000 })
      await vi.waitFor(async () => expect(await message(visitor, 'She slept well.').count()).toBe(0), 10_000)
      await message(visitor, 'New key, same room.').waitFor()
    }
  })

  it('scroll back to the beginning, and no line jumps as older ones come above it', async () => {
    const sender = await client('bob')
    const long = await createConversation(sender, ['alice'], { title: 'A long story' })
    for (let count = 1; count <= LONG_LOG; count++) {
      await sender.run(SendMessageDocument, { input: { conversationId: long, body: `Line ${count} of the story` } })
    }
    await alice.page.getByRole('link', { name: /A long story/ }).click()
    await message(alice, `Line ${LONG_LOG} of the story`).waitFor()
    const log = alice.page.getByRole('log')
    expect(await message(alice, 'Line 1 of the story').count()).toBe(0)
    let refused = 0
    await alice.page.route('**/graphql', async (route) => {
      if (refused > 0 || !route.request().postData()?.includes('"before"')) return await route.continue()
      refused += 1
      await route.abort()
    })
    const jumps: number[] = []
    while ((await message(alice, 'Line 1 of the story').count()) === 0) {
      await scrollBy(log, -400)
      jumps.push(await jumpWhileLoading(alice.page))
    }
    expect(refused).toBe(1)
    await alice.page.unroute('**/graphql')
    expect(Math.max(...jumps)).toBeLessThan(2)
    await scrollBy(log, -1_000_000)
    await alice.page.getByText('This is where the conversation begins.').waitFor()
  })

  it('have not read what comes below while they look further up', async () => {
    const sender = await client('bob')
    const entry = alice.page.getByRole('link', { name: /A long story/ })
    const { conversations } = await sender.run(ConversationsDocument, { first: 50 })
    const long = conversations.edges.find(({ node }) => node.title === 'A long story')?.node.id ?? ''
    await sender.run(SendMessageDocument, { input: { conversationId: long, body: 'The moral of it' } })
    await message(alice, 'The moral of it').waitFor({ state: 'attached' })
    await entry.getByText('1 unread').waitFor()
    let refused = 0
    await alice.page.route('**/graphql', async (route) => {
      if (refused > 0 || !route.request().postData()?.includes('markRead')) return await route.continue()
      refused += 1
      await route.abort()
    })
    await scrollBy(alice.page.getByRole('log'), 1_000_000)
    await entry.getByText('1 unread').waitFor({ state: 'detached' })
    expect(refused).toBe(1)
    await alice.page.unroute('**/graphql')
  })

  it('go on from the last cursor, and read nothing anew, after a sleep in which others talked and edited', async () => {
    const sender = await client('bob')
    await alice.page.getByRole('link', { name: /Ward 3, Mrs Lang/ }).click()
    await message(alice, 'New key, same room.').waitFor()
    const subscribed = () =>
      alice.sent.filter(({ type, payload }) => type === 'subscribe' && payload?.operationName === 'MessageEvents')
    await send(sender, id, 'Good night.')
    await message(alice, 'Good night.').waitFor()
    const variables = { conversationId: id, after: await eventCursor(sender, id) }
    const before = subscribed().length
    expect(subscribed().at(-1)?.payload?.variables).not.toEqual(variables)
    const asked: unknown[] = []
    alice.forgiveNetwork()
    alice.page.on('request', (request) => asked.push(request.postDataJSON()?.operationName))
    await alice.page.context().setOffline(true)
    await alice.page.getByText('Reconnecting…').waitFor({ timeout: 60_000 })
    const { sendMessage } = await sender.run(SendMessageDocument, { input: { conversationId: id, body: 'Asleep?' } })
    await sender.run(EditMessageDocument, { messageId: sendMessage.message.id, body: 'Awake again?' })
    await alice.page.context().setOffline(false)
    await alice.page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 })
    await message(alice, 'Awake again?').getByText('edited').waitFor()
    expect(await message(alice, 'Awake again?').count()).toBe(1)
    expect(await message(alice, 'Asleep?').count()).toBe(0)
    const again = subscribed().slice(before)
    expect(again).not.toEqual([])
    for (const { payload } of again) expect(payload?.variables).toEqual(variables)
    // What it looks at every few seconds is heard here; the log is not among it.
    await vi.waitFor(() => expect(asked).toContain('KeyStates'), PATIENCE)
    expect(asked).not.toContain('Messages')
  })

  it('begin anew with a conversation whose cursor lies ahead after a restoration', async () => {
    const nurse = await Visitor.as('Alice', browser, server.url)
    let subscriptions = 0
    let drop: () => Promise<void> = async () => {}
    await nurse.page.routeWebSocket('**/graphql', (socket) => {
      const api = socket.connectToServer()
      drop = async () => await socket.close({ code: 1012 })
      socket.onMessage((frame) => {
        const { id: operation, type, payload } = JSON.parse(String(frame))
        const isLog = type === 'subscribe' && payload.operationName === 'MessageEvents'
        if (isLog) subscriptions += 1
        if (!isLog || subscriptions !== 2) return api.send(frame)
        const refusal = { message: 'after lies ahead.', extensions: { code: 'BAD_USER_INPUT' } }
        socket.send(JSON.stringify({ id: operation, type: 'error', payload: [refusal] }))
      })
    })
    await nurse.page.goto(`${server.url}/#/conversations/${id}`)
    await nurse.page.reload()
    await message(nurse, 'New key, same room.').waitFor()
    await vi.waitFor(() => expect(subscriptions).toBe(1), PATIENCE)
    await drop()
    await vi.waitFor(() => expect(subscriptions).toBe(3), PATIENCE)
    await say(bob, 'Is everything back?')
    await message(nurse, 'Is everything back?').waitFor()
    await nurse.close()
  })

  it('lose nothing that was not sent when a token ran out, or only begun, and nobody else is shown it', async () => {
    const nurse = await Visitor.as('Alice', browser, server.url)
    const { page } = nurse
    const box = page.getByLabel('Message', { exact: true })
    const begun = Promise.withResolvers<void>()
    await page.getByRole('link', { name: /Ward 3, Mrs Lang/ }).click()
    await message(nurse, 'New key, same room.').waitFor()
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('sendMessage')) return await route.continue()
      await begun.promise
      await route.fulfill({ json: { errors: [{ message: 'no', extensions: { code: 'UNAUTHENTICATED' } }] } })
    })
    await say(nurse, 'Said too late.')
    await box.fill('And what I beg')
    begun.resolve()
    await page.getByText('1 message waits to be sent').waitFor()
    await page.unroute('**/graphql')
    await page.getByRole('button', { name: /^Bob/ }).click()
    await message(nurse, 'New key, same room.').waitFor()
    await nurse.isLive()
    expect(await message(nurse, 'Said too late.').count()).toBe(0)
    expect(await box.inputValue()).toBe('')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: /^Alice/ }).click()
    await message(bob, 'Said too late.').waitFor()
    await message(nurse, 'Said too late.').waitFor()
    expect(await box.inputValue()).toBe('And what I beg')
    await nurse.close()
  })

  it('are asked before they sign out with messages that were not sent, and are told which', async () => {
    const nurse = await Visitor.as('Alice', browser, server.url)
    const { page } = nurse
    nurse.forgiveNetwork()
    await page.getByRole('link', { name: /Ward 3, Mrs Lang/ }).click()
    await message(nurse, 'New key, same room.').waitFor()
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('sendMessage')) return await route.continue()
      await route.abort()
    })
    await say(nurse, 'Not through yet.')
    await message(nurse, 'Sending…').waitFor()
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Sign out' })
    await dialog.getByRole('heading', { name: 'Sign out and lose 1 message that was not sent?' }).waitFor()
    await dialog
      .getByRole('listitem')
      .filter({ hasText: /“Not through yet.”\s*waits to be sent/ })
      .waitFor()
    expect(await barriersOn(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Stay' }).click()
    const asked = page.waitForEvent('dialog')
    await page.evaluate('void setTimeout(() => location.reload())')
    expect((await asked).type()).toBe('beforeunload')
    await (await asked).dismiss()
    await message(nurse, 'Not through yet.').waitFor()
    await page.unroute('**/graphql')
    await message(bob, 'Not through yet.').waitFor()
    await message(nurse, 'Sending…').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByRole('button', { name: /^Alice/ }).waitFor()
    await nurse.close()
  })

  it('are offered with keys and members what they may do, and nothing else', async () => {
    const { page } = bob
    const keys = `${server.url}/#/conversations/${id}/keys`
    const rotate = (visitor: Visitor) => visitor.page.getByRole('button', { name: 'Rotate now' })
    await alice.page.goto(keys)
    await rotate(alice).waitFor()
    await alice.page.getByRole('button', { name: 'Save policy' }).waitFor()
    await page.goto(keys)
    await page.getByText('The owner of the conversation sets it, or an administrator of keys.').waitFor()
    expect(await rotate(bob).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Save policy' }).count()).toBe(0)
    expect(await page.getByLabel('Rotate after', { exact: true }).getAttribute('readonly')).not.toBeNull()
    expect(await barriersOn(page)).toEqual([])
    const owner = await client('alice')
    await owner.run(AddMembersDocument, { conversationId: id, userIds: ['dave', 'erin'] })
    for (const body of ['Right ward.', 'Wrong ward.'])
      await owner.run(SendMessageDocument, { input: { conversationId: id, body } })
    await owner.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'MODERATOR' })
    for (const { page } of [alice, bob]) await page.getByRole('link', { name: /Back to the conversation/ }).click()
    const panel = page.getByRole('region', { name: 'Members' })
    await page.reload()
    await page.getByRole('button', { name: '4 members' }).click()
    const remove = (name: string) =>
      panel.getByRole('listitem').filter({ hasText: name }).getByRole('button', { name: 'Remove' })
    await remove('dave').focus()
    expect(await panel.getByRole('button', { name: 'Add' }).count()).toBe(0)
    // Where they are by keyboard alone: at the next member whom they may remove, then at the list.
    await page.keyboard.press('Enter')
    await remove('erin').and(page.locator(':focus')).waitFor()
    await page.keyboard.press('Enter')
    await panel.and(page.locator(':focus')).waitFor()
    expect(await panel.getByRole('button').count()).toBe(0)
    // What others have sent, a moderator deletes after a question.
    const theirs = message(bob, 'Wrong ward.')
    await theirs.getByRole('button', { name: 'Delete' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Delete' })
    await dialog.getByText('Delete this message of Alice?').waitFor()
    expect(await barriersOn(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Leave it' }).click()
    await theirs.getByRole('button', { name: 'Delete' }).and(page.locator(':focus')).press('Enter')
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.locator('.message:focus').getByText('This message was deleted.').waitFor()
    await owner.run(SetMemberRoleDocument, { conversationId: id, userId: 'bob', role: 'MEMBER' })
    const another = message(bob, 'Right ward.')
    await another.waitFor()
    await another.getByRole('button', { name: 'Delete' }).waitFor({ state: 'detached' })
  })

  it('see what was refused, and that a deleted conversation has left the list', async () => {
    const owner = await client('bob')
    const short = await createConversation(owner, ['alice'], { title: 'A short story' })
    await owner.run(SendMessageDocument, { input: { conversationId: short, body: 'Listen.' } })
    const entry = alice.page.getByRole('link', { name: /A short story/ })
    await entry.click()
    await alice.page.getByRole('heading', { name: 'A short story' }).waitFor()
    await alice.page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('sendMessage')) return await route.continue()
      await route.fulfill({ json: { errors: [{ message: 'Not now.', extensions: { code: 'CONFLICT' } }] } })
    })
    await say(alice, 'Once upon a time')
    await message(alice, 'Not sent: Not now.').waitFor()
    expect(await barriersOn(alice.page)).toEqual([])
    await alice.page.unroute('**/graphql')
    await owner.run(DeleteConversationDocument, { conversationId: short })
    await alice.page.getByRole('alert').getByText('This conversation was deleted.').waitFor()
    await entry.waitFor({ state: 'detached' })
    await alice.page.getByRole('heading', { name: 'A short story' }).waitFor()
  })

  async function client(userId: string, scopes: string[] = []): Promise<GraphQLClient> {
    const { devToken } = await new GraphQLClient(server.url, null).run(DevTokenDocument, { userId, scopes })
    return new GraphQLClient(server.url, devToken.token)
  }
})

async function say({ page }: Visitor, text: string): Promise<void> {
  const box = page.getByLabel('Message', { exact: true })
  await box.fill(text)
  await box.press('Enter')
}

function message({ page }: Visitor, text: string): Locator {
  return page.locator('.message').filter({ hasText: text })
}

/** Presses one of the buttons of a message. */
async function act(visitor: Visitor, text: string, name: string): Promise<void> {
  const row = message(visitor, text).last()
  await row.hover()
  await row.getByRole('button', { name }).click()
}

async function scrollBy(log: Locator, pixels: number): Promise<void> {
  await log.evaluate((element, by) => element.scrollBy(0, by), pixels)
}

/** Pixels that a line in view moves within the next frames while nobody scrolls. */
async function jumpWhileLoading(page: Page): Promise<number> {
  return await page.evaluate(`new Promise((resolve) => {
    const log = document.querySelector('.messages')
    const top = log.getBoundingClientRect().top
    const line = [...log.querySelectorAll('.message')].find((one) => one.getBoundingClientRect().top >= top)
    const before = line.getBoundingClientRect().top
    let frames = 12
    const look = () => --frames > 0 ? requestAnimationFrame(look) : resolve(Math.abs(line.getBoundingClientRect().top - before))
    requestAnimationFrame(look)
  })`)
}
