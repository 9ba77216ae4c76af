import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  ConversationKeysDocument,
  DevTokenDocument,
  DueRotationsDocument,
  KeyEventsDocument,
  KeyPolicyDocument,
  RotateKeyDocument
} from '../../documents/generated.js'
import { barriersOn } from '../support/browser/accessibility.js'
import { hasBrowser, launchBrowser } from '../support/browser/browser.js'
import { ConsoleServer } from '../support/browser/console-server.js'
import { shareThatDiffers } from '../support/browser/picture-difference.js'
import { type SeededHistory, seedHistory } from '../support/browser/seeded-history.js'
import { Visitor } from '../support/browser/visitor.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { giveVersions } from '../support/give-versions.js'
import { GraphQLClient } from '../support/graphql-client.js'

/** An administrator of keys who is also in the conversation, on a server with months of history. */

const OTHERS = 90
const WIDTHS = [390, 1024, 1600]
const SCHEMES = ['light', 'dark'] as const
/** Kept after the run. */
const PICTURES = join(import.meta.dirname, '../../artefacts/console')
const README_PICTURE = join(import.meta.dirname, '../../docs/console.png')
/** It is 0.001 from one run to the next, and 0.08 where the bytes of the message are not there. */
const MAX_DIFFERING = 0.05
/** What `textWidth` gives with the fonts that the picture was taken with (DejaVu): with others all is elsewhere. */
const TEXT_WIDTH_OF_PICTURE = 399
const MAX_SCRIPT_BYTES = 200 * 1024
const PATIENCE = { timeout: 40_000, interval: 250 }

describe.skipIf(!hasBrowser)('an administrator of keys', () => {
  let history: SeededHistory
  let server: ConsoleServer
  let browser: Browser
  let carol: Visitor
  /** A conversation of which the tests have sent every message. */
  let counted: string
  const views = () => ({
    list: '#/',
    chat: `#/conversations/${history.conversationId}`,
    keys: `#/conversations/${history.conversationId}/keys`,
    operations: '#/operations'
  })

  beforeAll(async () => {
    rmSync(PICTURES, { recursive: true, force: true })
    mkdirSync(PICTURES, { recursive: true })
    history = await seedHistory(OTHERS)
    server = await ConsoleServer.start({ ...history.environment, REWRAP_PER_SECOND: '8' })
    browser = await launchBrowser()
    carol = await Visitor.as('Carol', browser, server.url)
  }, 240_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail')
      await carol.page.screenshot({ path: join(PICTURES, `failed: ${task.name.slice(0, 40)}.png`), fullPage: true })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await history?.conclave.close()
  })

  it('sees on every page at every width what can be read, in the light and in the dark', {
    timeout: 240_000
  }, async () => {
    const { page } = carol
    for (const colorScheme of SCHEMES) {
      for (const [view, hash] of Object.entries(views())) {
        for (const width of WIDTHS) {
          await inWindow(carol, colorScheme, width)
          await page.goto(`${server.url}/${hash}`)
          await untilDrawn(carol, view)
          await lookAt(carol, `${view}-${colorScheme}`, width)
        }
      }
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it('goes on a phone from the list to a conversation and back, and sees one of them at a time', async () => {
    const { page } = carol
    await page.setViewportSize({ width: 390, height: 900 })
    await page.goto(`${server.url}/${views().list}`)
    const list = page.getByRole('navigation', { name: 'Conversations' })
    const log = page.getByRole('log')
    expect(await page.getByText('Choose a conversation').isVisible()).toBe(false)
    await list.getByRole('link', { name: /Ward 3, Mrs Lang/ }).click()
    await untilDrawn(carol, 'chat')
    expect(await list.isVisible()).toBe(false)
    await page.getByRole('link', { name: 'All conversations' }).click()
    await list.waitFor()
    expect(await log.count()).toBe(0)
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it('meets no barrier on the way in', async () => {
    const stranger = await Visitor.at(browser, server.url)
    await stranger.page.getByRole('button', { name: /^Carol/ }).waitFor()
    for (const colorScheme of SCHEMES) {
      for (const width of WIDTHS) {
        await inWindow(stranger, colorScheme, width)
        await lookAt(stranger, `sign-in-${colorScheme}`, width)
      }
    }
    await stranger.close()
  })

  it('sees what a policy will do in the next year while writing it, and has it kept', async () => {
    const { page } = carol
    await page.goto(`${server.url}/${views().keys}`)
    const year = page.getByRole('group', { name: 'What it does in the next year' })
    await page.getByLabel('Rotate after', { exact: true }).fill('P90D')
    await year.getByText('4 rotations').waitFor()
    await page.getByLabel('Destroy a version after').fill('P1Y')
    // Those that there are: of the coming ones none is old enough within a year.
    const deactivated = await page.locator('tbody tr').filter({ hasText: 'Deactivated' }).count()
    expect(deactivated).toBeGreaterThan(0)
    await year.getByText(`${deactivated} versions are destroyed`).waitFor()
    await page.getByLabel('Rotate after messages').fill('500')
    await year.getByText('one after every 500 messages').waitFor()
    await page.getByLabel('Destroy a version after').fill('sometime')
    expect(await page.getByRole('button', { name: 'Save policy' }).isDisabled()).toBe(true)
    const wrong = page.getByRole('textbox', {
      name: 'Destroy a version after',
      description: /“sometime” is not a duration/
    })
    expect(await wrong.getAttribute('aria-invalid')).toBe('true')
    expect(await year.count()).toBe(0)
    expect(await barriersOn(page)).toEqual([])
    await page.getByLabel('Destroy a version after').fill('P1Y')
    await page.getByRole('checkbox', { name: new RegExp(`^${deactivated} versions? expire`) }).check()
    await page.getByRole('button', { name: 'Save policy' }).click()
    await vi.waitFor(async () => {
      const { conversation } = await (await administrator()).run(KeyPolicyDocument, { id: history.conversationId })
      expect(conversation?.keyPolicy).toMatchObject({
        rotateAfter: 'P90D',
        rotateAfterMessages: 500,
        destroyAfter: 'P1Y'
      })
    }, 10_000)
  })

  it('is told how much is lost before a version is destroyed, and may take it back', async () => {
    const { page } = carol
    const erin = await as('erin')
    counted = await createConversation(erin, ['frank'], { title: 'Counted' })
    for (const body of ['one', 'two', 'three']) await send(erin, counted, body)
    await erin.run(RotateKeyDocument, { conversationId: counted })
    for (const body of ['four', 'five']) await send(erin, counted, body)
    await page.goto(`${server.url}/#/conversations/${counted}/keys`)
    await page.getByRole('button', { name: 'Version 1', exact: true }).click()
    await page.getByRole('button', { name: 'Schedule its destruction' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(/^3 messages lie under it, and cannot be read from now on\./).waitFor()
    expect(await barriersOn(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Schedule its destruction' }).click()
    await page.getByRole('button', { name: 'Cancel its destruction' }).waitFor()
    expect((await readBack(erin, counted)).map(({ status }) => status)).toEqual([
      ...Array(3).fill('UNREADABLE'),
      ...Array(2).fill('READABLE')
    ])
    await page.getByRole('button', { name: 'Cancel its destruction' }).click()
    await dialog.getByText(/^3 messages lie under it, and can be read again\./).waitFor()
    await dialog.getByRole('button', { name: 'Cancel its destruction' }).click()
    await page.getByRole('button', { name: 'Schedule its destruction' }).waitFor()
    expect((await readBack(erin, counted)).map(({ body }) => body)).toEqual(['one', 'two', 'three', 'four', 'five'])
  })

  it('marks a version as compromised, whose messages are soon under another, and which is destroyed then', async () => {
    const { page } = carol
    const erin = await as('erin')
    const dialog = page.getByRole('dialog')
    const compromise = page.getByRole('button', { name: 'Mark as compromised' })
    // One that is not active has nothing to be replaced by.
    await compromise.click()
    await dialog.getByText(/^3 messages lie under it\. They are encrypted anew under the active version,/).waitFor()
    await dialog.getByRole('button', { name: 'Leave it' }).click()
    await page.getByRole('button', { name: 'Version 2', exact: true }).click()
    await compromise.click()
    await dialog.getByText(/^2 messages lie under it\. A new version is made active at once;/).waitFor()
    expect(await barriersOn(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Mark as compromised' }).click()
    const row = (version: number) => page.getByRole('row', { name: `Version ${version}` })
    await row(3).filter({ hasText: 'Active' }).filter({ hasText: 'the one before was compromised' }).waitFor()
    await row(2).filter({ hasText: 'Destroyed' }).waitFor()
    const { conversationKeys } = await (await administrator()).run(ConversationKeysDocument, {
      conversationId: counted
    })
    expect(conversationKeys.map(({ version, state, messageCount }) => [version, state, messageCount])).toEqual([
      [1, 'DEACTIVATED', 3],
      [2, 'DESTROYED', 0],
      [3, 'ACTIVE', 2]
    ])
    const read = (await readBack(erin, counted)).map(({ body, keyVersion }) => [body, keyVersion])
    expect(read).toEqual([
      ['one', 1],
      ['two', 1],
      ['three', 1],
      ['four', 3],
      ['five', 3]
    ])
  })

  it('sees every version of a key, also where they are more than a page', async () => {
    const old = await createConversation(await as('erin'), [], { title: 'Old' })
    await giveVersions(history.conclave.database, old, 402)
    const member = await Visitor.withToken(await tokenOf('erin', []), browser, server.url)
    for (const { page } of [member, carol]) {
      await page.goto(`${server.url}/#/conversations/${old}/keys`)
      await page.getByRole('row', { name: 'Version 402' }).waitFor()
      expect(await page.locator('tbody tr').count()).toBe(402)
    }
    await member.close()
  })

  it('sees when keys rotate as the server has counted them', async () => {
    const { page } = carol
    const chart = page.getByRole('region', { name: 'Rotations that are due' }).getByRole('img')
    let isFirst = true
    await page.route('**/graphql', async (route) => {
      if (!isFirst || !route.request().postData()?.includes('"DueRotations"')) return await route.continue()
      isFirst = false
      await route.fulfill({ json: { data: { dueRotations: { overdue: 7, days: [], later: 0 } } } })
    })
    await page.goto(`${server.url}/${views().operations}`)
    await page.getByRole('img', { name: /^7 overdue/ }).waitFor()
    await page.getByRole('button', { name: 'Rotate what is due' }).click()
    await vi.waitFor(async () => {
      const columns = await chart.locator('span').evaluateAll((all) => all.map((one) => one.getAttribute('title')))
      const { overdue, days, later } = (await (await administrator()).run(DueRotationsDocument)).dueRotations
      expect(columns).toEqual([
        `overdue: ${overdue}`,
        ...days.map((count, day) => `in ${day} days: ${count}`),
        `later: ${later}`
      ])
      expect(overdue + later + days.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(OTHERS)
      expect(overdue).toBe(0)
    }, PATIENCE)
    await page.unroute('**/graphql')
  })

  it('calls an operation off, which stays where it is', async () => {
    const { page } = carol
    await page.goto(`${server.url}/${views().operations}`)
    await page.getByRole('button', { name: 'Rewrap to the current master key' }).click()
    const operation = page.getByRole('listitem').filter({ hasText: 'running' })
    await operation.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('listitem').getByText('cancelled').waitFor()
    expect(await page.getByText('can be retired').count()).toBe(0)
  })

  it('sees how many keys each master key holds, as the database has them', async () => {
    const { page } = carol
    const masterKeys = page.getByRole('region', { name: 'Master keys' })
    const shares = masterKeys.getByRole('img').locator('span')
    await vi.waitFor(async () => {
      const held = await heldKeys()
      expect([...held.keys()]).toEqual(['local:next', 'local:test'])
      const all = sumOf(held.values())
      const shown = [...held].map(([uri, keys]) => ({
        title: `${uri}: ${keys}`,
        share: Math.round((keys / all) * 100)
      }))
      expect(await sharesOf(shares)).toEqual(shown)
      const listed = await masterKeys.getByRole('listitem').allInnerTexts()
      expect(listed.map((text) => text.split(/\s+/))).toEqual([
        ['local:next', 'current', String(held.get('local:next')), 'keys'],
        ['local:test', String(held.get('local:test')), 'keys']
      ])
    }, PATIENCE)
  })

  it('watches an operation go on to its end as the subscription tells of it', { timeout: 90_000 }, async () => {
    const { page } = carol
    await page.goto(`${server.url}/${views().operations}`)
    // What is looked at every few seconds stays as it was when the operation began.
    let begun: object | null = null
    await page.route('**/graphql', async (route) => {
      if (route.request().postDataJSON()?.operationName !== 'KeyOperations') return await route.continue()
      if (begun) return await route.fulfill({ json: begun })
      const response = await route.fetch()
      const answer = await response.json()
      if (answer.data.keyOperations[0].state === 'RUNNING') begun = answer
      await route.fulfill({ response })
    })
    await page.getByRole('button', { name: 'Rewrap to the current master key' }).click()
    const bar = page.getByRole('progressbar', { name: 'Progress of REWRAP' }).first()
    const seen = new Set<number>()
    await vi.waitFor(() => expect(begun).not.toBeNull(), PATIENCE)
    await vi.waitFor(
      async () => {
        seen.add(Number(await bar.getAttribute('value')))
        const operation = page.getByRole('listitem').filter({ has: bar })
        expect(await operation.getByText('succeeded').count()).toBe(1)
      },
      { timeout: 60_000, interval: 100 }
    )
    expect(seen.size).toBeGreaterThan(3)
    await page.getByText('can be retired').waitFor()
    await page.unroute('**/graphql')
    expect([...(await heldKeys()).keys()]).toEqual(['local:next'])
  })

  it('verifies the audit trail, and finds in it what was just done', async () => {
    const { page } = carol
    await page.goto(`${server.url}/${views().operations}`)
    await page.getByRole('button', { name: 'Verify every hash' }).click()
    await page.getByText(/^All \d+ events are as they were written\.$/).waitFor()
    const rows = page.getByRole('region', { name: 'Events of the audit trail' }).getByRole('row')
    await rows.filter({ hasText: 'key.activated' }).first().waitFor()
    await page.getByLabel('Conversation id').fill(counted)
    await page.getByLabel('Action').selectOption('key.destruction-scheduled')
    await page.getByLabel('By', { exact: true }).fill('carol')
    await page.getByRole('button', { name: 'Look', exact: true }).click()
    await rows.filter({ hasText: 'key.activated' }).first().waitFor({ state: 'detached' })
    await page.getByText(/^\d+ shown, which is all\./).waitFor()
    const shown = (await rows.allInnerTexts()).slice(1)
    expect(shown).not.toEqual([])
    for (const row of shown) expect(row).toMatch(/key\.destruction-scheduled\s+carol/)
  })

  it('finds in the audit trail what is far behind the page that is shown', async () => {
    const { page } = carol
    const variables = { first: 200, filter: { action: 'operation.finished' } }
    const { keyEvents } = await (await administrator()).run(KeyEventsDocument, variables)
    const hash = keyEvents.nodes.at(-1)?.hash ?? expect.fail('nothing has finished')
    await page.goto(`${server.url}/${views().operations}`)
    await page.reload()
    const rows = page.getByRole('region', { name: 'Events of the audit trail' }).getByRole('row')
    await rows.filter({ hasText: 'key.activated' }).first().waitFor()
    const last = rows.filter({ has: page.getByTitle(hash) })
    expect(await last.count()).toBe(0)
    await page.getByLabel('Action').selectOption('operation.finished')
    await page.getByRole('button', { name: 'Look', exact: true }).click()
    await last.waitFor()
    expect(await barriersOn(page)).toEqual([])
    await page.getByRole('button', { name: 'Clear' }).click()
    await rows.filter({ hasText: 'key.activated' }).first().waitFor()
    await page.getByLabel('By', { exact: true }).fill('carol')
    await page.getByLabel('Conversation id').fill('nonsense')
    await page.getByRole('button', { name: 'Look', exact: true }).click()
    await page.getByText('This is not the id of a conversation.').waitFor()
  })

  it('is a table on a phone whose rows are a few lines each', async () => {
    const { page } = carol
    await page.setViewportSize({ width: 390, height: 900 })
    await page.goto(`${server.url}/${views().operations}`)
    await page.reload()
    const rows = page.getByRole('region', { name: 'Events of the audit trail' }).getByRole('row')
    // Not those of anchors, which hold sixteen hashes.
    const activations = rows.filter({ hasText: 'key.activated' })
    await activations.first().waitFor()
    const heights = await activations.evaluateAll((rows) => rows.map((one) => one.getBoundingClientRect().height))
    expect(Math.max(...heights)).toBeLessThan(160)
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it('offers an auditor nothing that only an administrator may do', async () => {
    const auditor = await Visitor.withToken(await tokenOf('dora', ['keys:read']), browser, server.url)
    const { page } = auditor
    await page.goto(`${server.url}/${views().operations}`)
    await untilDrawn(auditor, 'operations')
    await page.getByRole('progressbar').first().waitFor()
    expect(await page.getByRole('button', { name: /Rotate|rewrap|Pause|Resume|Cancel/i }).count()).toBe(0)
    expect(await barriersOn(page)).toEqual([])
    await page.goto(`${server.url}/${views().keys}`)
    await page.locator('tbody tr').getByRole('button').first().click()
    await page.getByRole('region', { name: /^Version / }).waitFor()
    await page.getByRole('region', { name: 'Policy' }).getByText('The owner of the conversation sets it').waitFor()
    expect(await page.getByRole('button', { name: /rotate|compromised|destruction|policy/i }).count()).toBe(0)
    await auditor.close()
  })

  it('sets the policy of a conversation also as somebody who is not in it', async () => {
    const outsider = await Visitor.withToken(await tokenOf('erin', ['keys:admin']), browser, server.url)
    const { page } = outsider
    await page.goto(`${server.url}/${views().keys}`)
    const field = page.getByLabel('Rotate after messages')
    await field.waitFor()
    const before = await (await administrator()).run(KeyPolicyDocument, { id: history.conversationId })
    expect(await field.inputValue()).toBe(`${before.conversation?.keyPolicy.rotateAfterMessages ?? ''}`)
    await field.fill('400')
    await page.getByRole('button', { name: 'Save policy' }).click()
    await vi.waitFor(async () => {
      const { conversation } = await (await administrator()).run(KeyPolicyDocument, { id: history.conversationId })
      expect(conversation?.keyPolicy).toEqual({ ...before.conversation?.keyPolicy, rotateAfterMessages: 400 })
    }, PATIENCE)
    await page.getByRole('link', { name: '← Operations' }).click()
    await untilDrawn(outsider, 'operations')
    await outsider.close()
  })

  it('is sent less than 200 KB of script, compressed', async () => {
    const scripts = readdirSync(join(server.program.folder, 'dist/web/assets')).filter((name) => name.endsWith('.js'))
    expect(scripts.length).toBeGreaterThan(0)
    // Of what is built for development: with the places of its sources.
    const texts = scripts.map((name) => readFileSync(join(server.program.folder, 'dist/web/assets', name), 'utf8'))
    expect(texts.filter((text) => /jsxDEV|web\/src\//.test(text))).toEqual([])
    for (const encoding of ['br', 'gzip']) {
      const headers = { 'accept-encoding': encoding }
      const sent = await Promise.all(scripts.map((name) => fetch(`${server.url}/assets/${name}`, { headers })))
      expect(new Set(sent.map((response) => response.headers.get('content-encoding')))).toEqual(new Set([encoding]))
      const bytes = sent.reduce((sum, response) => sum + Number(response.headers.get('content-length')), 0)
      expect(bytes).toBeGreaterThan(0)
      expect(bytes).toBeLessThan(MAX_SCRIPT_BYTES)
    }
  })

  it('is seen in README.md as the console is now', async ({ skip }) => {
    const nurse = await Visitor.as('Alice', browser, server.url, { viewport: { width: 1280, height: 720 } })
    await nurse.page.goto(`${server.url}/${views().chat}`)
    await untilDrawn(nurse, 'chat')
    const last = nurse.page.locator('.message').filter({ hasText: 'Dry, edges closed' })
    await last.hover()
    await last.getByRole('button', { name: 'What is stored' }).click()
    await nurse.page.getByText('suite byte: A256GCM').first().waitFor()
    // In the same place in every run.
    await last.evaluate((message) => message.scrollIntoView({ block: 'center' }))
    const now = await nurse.page.screenshot({ path: join(PICTURES, 'readme.png') })
    if (process.env.UPDATE_PICTURES) writeFileSync(README_PICTURE, now)
    const width = await textWidth(nurse)
    await nurse.close()
    skip(Math.abs(width - TEXT_WIDTH_OF_PICTURE) > 1, `not compared: the fonts are others here (${width} pixels)`)
    const differing = await shareThatDiffers(browser, readFileSync(README_PICTURE), now)
    expect(differing, 'docs/console.png is of another console: UPDATE_PICTURES=1 takes it anew').toBeLessThan(
      MAX_DIFFERING
    )
  })

  it('finds in production no people to sign in as and no stored bytes, and all else with a token', {
    timeout: 90_000
  }, async () => {
    expect(await settingsOf(server.url)).toEqual({ development: true })
    // With the limits that a deployment has.
    const url = await server.startBeside({ NODE_ENV: 'production', RATE_LIMITS: '', SOCKETS_PER_USER: '' })
    expect(await settingsOf(url)).toEqual({ development: false })
    const visitor = await Visitor.at(browser, url)
    const { page } = visitor
    await page.getByLabel('Bearer token').waitFor()
    expect(await page.getByRole('button').allInnerTexts()).toEqual(['Sign in'])
    await lookAt(visitor, 'sign-in-production', 1280)
    await visitor.signInWith(await tokenOf('carol', ['keys:read', 'keys:admin']))
    await page.getByText('Choose a conversation, or begin one.').waitFor()
    expect(await page.getByRole('link', { name: 'Open a second window' }).count()).toBe(0)
    for (const view of ['chat', 'keys', 'operations'] as const) {
      await page.goto(`${url}/${views()[view]}`)
      await untilDrawn(visitor, view)
    }
    await page.goto(`${url}/${views().chat}`)
    await page.getByLabel('Message', { exact: true }).fill('As in production.')
    await page.keyboard.press('Enter')
    const said = page.locator('.message').filter({ hasText: 'As in production.' })
    await said.getByRole('button', { name: 'Delete' }).waitFor({ state: 'attached' })
    expect(await said.getByRole('button').allInnerTexts()).toEqual(['Reply', 'Edit', 'Delete'])
    await said.hover()
    await said.getByRole('button', { name: 'Delete' }).click()
    await said.waitFor({ state: 'detached' })
    await visitor.close()
  })

  async function administrator(): Promise<GraphQLClient> {
    return await as('carol', ['keys:read'])
  }

  async function as(userId: string, scopes: string[] = []): Promise<GraphQLClient> {
    return new GraphQLClient(server.url, await tokenOf(userId, scopes))
  }

  /** Private keys by the master key that wraps them. */
  async function heldKeys(): Promise<Map<string, number>> {
    const rows = await history.conclave.database.query<{ uri: string; keys: number }>(
      `select master_key as uri, count(*)::integer as keys
         from (select master_key from conversation_keys union all select master_key from pooled_keys) held
        where master_key is not null group by 1 order by 1`
    )
    return new Map(rows.map(({ uri, keys }) => [uri, keys]))
  }

  async function tokenOf(userId: string, scopes: string[]): Promise<string> {
    return (await new GraphQLClient(server.url, null).run(DevTokenDocument, { userId, scopes })).devToken.token
  }
})

/** Pixels of a text in the font of the page. */
async function textWidth({ page }: Visitor): Promise<number> {
  return await page.evaluate<number>(`(() => {
    const context = new OffscreenCanvas(1, 1).getContext('2d')
    context.font = getComputedStyle(document.body).font
    return Math.round(context.measureText('Conversations, keys and what is stored: 0123456789').width)
  })()`)
}

async function untilDrawn({ page }: Visitor, view: string): Promise<void> {
  if (view === 'list') await page.getByRole('link', { name: /Ward 3, Mrs Lang/ }).waitFor()
  if (view === 'chat') await page.getByText('I will be there.').last().waitFor()
  if (view === 'keys') await page.getByRole('group', { name: 'What it does in the next year' }).waitFor()
  if (view === 'operations') await page.getByRole('row').nth(5).waitFor()
}

async function inWindow({ page }: Visitor, colorScheme: (typeof SCHEMES)[number], width: number): Promise<void> {
  await page.emulateMedia({ colorScheme })
  await page.setViewportSize({ width, height: 900 })
}

/** Takes a picture, and finds what is wider than the window, or a barrier. */
async function lookAt({ page }: Visitor, view: string, width: number): Promise<void> {
  await page.screenshot({ path: join(PICTURES, `${view}-${width}.png`) })
  const drawnWidth = await page.evaluate<number>('document.documentElement.scrollWidth')
  expect(drawnWidth, `${view} at ${width} is wider than the window`).toBeLessThanOrEqual(width)
  expect(await barriersOn(page), `${view} at ${width}`).toEqual([])
}

/** Of the parts of a bar: what each says, and percent of what is drawn. */
async function sharesOf(parts: Locator): Promise<{ title: string | null; share: number }[]> {
  const drawn = await parts.evaluateAll((all) =>
    all.map((one) => ({ title: one.getAttribute('title'), width: one.getBoundingClientRect().width }))
  )
  const whole = sumOf(drawn.map(({ width }) => width))
  return drawn.map(({ title, width }) => ({ title, share: Math.round((width / whole) * 100) }))
}

function sumOf(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, number) => sum + number, 0)
}

async function settingsOf(url: string): Promise<unknown> {
  return await (await fetch(`${url}/console.json`)).json()
}
