import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DevTokenDocument,
  KeysDocument,
  MessageEventsDocument,
  type MessageEventsSubscription,
  MessagesDocument,
  RotateKeyDocument,
  ScheduleKeyDestructionDocument
} from '../../documents/generated.js'
import { fingerprint } from '../../src/crypto/key-transport.js'
import { masterSecretFrom } from '../../src/crypto/keys.js'
import { unwrapPrivateKey } from '../../src/crypto/private-key-wrap.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { GraphQLClient } from '../support/graphql-client.js'
import { naughtyStrings } from '../support/naughty-strings.js'
import { freePort, InstalledProgram, isFree, type RunningProgram } from '../support/program.js'

/**
 * The real program, started as its user starts it: `npm start` in a fresh folder, with nothing configured.
 * The tests follow each other: a conversation is held, the server is stopped, and its files are searched.
 */

const bodies = naughtyStrings().filter((body) => body.trim() !== '')
const TITLE = 'Quarterly numbers, not for the press'
const SENTENCES = ['The merger is called off, tell nobody yet', 'Die Übernahme ist abgesagt, noch niemandem sagen']
const NAME = 'Alice Example-Liddell'

let program: InstalledProgram
let running: RunningProgram
let url: string
let alice: GraphQLClient
let bob: GraphQLClient
let id: string
let privateKeys: Buffer[]
let rows: string

beforeAll(async () => {
  program = await InstalledProgram.built()
  // An empty environment, but for somebody who writes faster than people do, and where something else has the default port.
  running = program.start({ RATE_LIMITS: 'off', ...((await isFree(4000)) ? {} : { PORT: String(await freePort()) }) })
  url = await running.ready()
}, 180_000)
afterAll(async () => {
  for (const client of [alice, bob]) await client?.close()
  await program.remove()
})

describe('npm start', () => {
  it('prints where it serves, where the data lies, and a command that gets a token', async () => {
    for (const path of ['/graphql ', '/graphql/stream']) expect(running.output).toContain(`${url}${path}`)
    expect(running.output).toContain(program.databaseFolder)
    const command = /npm run -s (token -- .+)/.exec(running.output)?.[1]?.split(' ') ?? []
    const { code, output } = await program.run(['run', '-s', ...command])
    expect([code, output.trim()]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)])
    const withScope = await program.run(['run', '-s', 'token', '--', 'alice', '--name', NAME, '--scope', 'keys:admin'])
    alice = new GraphQLClient(url, withScope.output.trim())
  })

  it('lets two members hold a conversation, in which the key is rotated on the way', { timeout: 120_000 }, async () => {
    const { devToken } = await new GraphQLClient(url, null).run(DevTokenDocument, { userId: 'bob' })
    bob = new GraphQLClient(url, devToken.token)
    id = await createConversation(alice, ['bob'], { title: TITLE })
    const { conversation } = await bob.run(MessagesDocument, { id, last: 1 })
    const events = bob.subscribe(MessageEventsDocument, {
      conversationId: id,
      after: conversation?.eventCursor ?? null
    })
    for (const [index, body] of bodies.entries()) {
      if (index === Math.floor(bodies.length / 2)) await alice.run(RotateKeyDocument, { conversationId: id })
      await send(alice, id, body)
    }
    for (const sentence of SENTENCES) await send(alice, id, sentence)
    const received: MessageEventsSubscription[] = await events.take(bodies.length + SENTENCES.length)
    expect(bodies.length).toBeGreaterThan(500)
    expect(received.map(({ messageEvents }) => messageEvents.message.body)).toEqual([...bodies, ...SENTENCES])
    expect(received.map(({ messageEvents }) => messageEvents.message.sequence)).toEqual(
      received.map((_, index) => index + 1)
    )
    expect(new Set(received.map(({ messageEvents }) => messageEvents.message.keyVersion))).toEqual(new Set([1, 2]))
  })

  it('pages back through all of it', async () => {
    const messages = await readBack(bob, id, 50)
    expect(messages.map(({ body, status }) => [body, status])).toEqual(
      [...bodies, ...SENTENCES].map((body) => [body, 'READABLE'])
    )
  })

  it('destroys a key whose time is over, with nobody doing anything', { timeout: 60_000 }, async () => {
    const short = await createConversation(alice, [])
    await send(alice, short, 'not for long')
    await alice.run(RotateKeyDocument, { conversationId: short })
    await alice.run(ScheduleKeyDestructionDocument, { conversationId: short, version: 1, after: 'PT1S' })
    const state = async () => (await alice.run(KeysDocument, { id: short })).conversation?.keys[0]?.state
    await vi.waitFor(async () => expect(await state()).toBe('DESTROYED'), { timeout: 30_000, interval: 500 })
  })

  it('has API and worker in its database as two logins, neither of them the owner', async () => {
    const database = await connect()
    const { rows: users } = await database.query(`
      select distinct usename::text as user from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend' order by 1`)
    expect(users.map(({ user }) => user)).toEqual(['conclave_api_login', 'conclave_worker_login'])
    await database.end()
  })

  it('is closed by Ctrl-C, and its database with it', async () => {
    const database = await connect()
    privateKeys = await readPrivateKeys(database)
    rows = await allRows(database)
    await database.end()
    const { code } = await running.interrupt()
    expect(code).toBe(0)
    expect(readdirSync(program.databaseFolder)).not.toContain('postmaster.pid')
  })

  it('leaves nothing in clear behind: not in the database files, the data folder or the log', () => {
    // Planted as a user's name, which is stored in clear: it shows that the search finds what is there.
    const places = {
      'the database files': contentsOf(program.databaseFolder),
      'the data folder': contentsOf(join(program.folder, '.data')),
      'the rows': Buffer.from(rows),
      'the log': Buffer.from(running.output)
    }
    expect(places['the database files'].includes(NAME)).toBe(true)
    expect(places['the rows'].includes(NAME)).toBe(true)
    const longBodies = bodies.filter((body) => Buffer.byteLength(body) >= 32).map((body) => Buffer.from(body))
    expect(longBodies.length).toBeGreaterThan(100)
    const inAnyForm = [...[TITLE, ...SENTENCES].map((text) => Buffer.from(text)), ...privateKeys].flatMap((secret) => [
      secret,
      Buffer.from(secret.toString('base64')),
      Buffer.from(secret.toString('hex'))
    ])
    for (const secret of [...longBodies, ...inAnyForm]) {
      for (const [place, bytes] of Object.entries(places)) {
        expect(bytes.includes(secret), `${secret.subarray(0, 40)} in ${place}`).toBe(false)
      }
    }
  })
})

/** What only the private keys hold: their DER, and a part of it that lies within the primes. */
async function readPrivateKeys(database: pg.Client): Promise<Buffer[]> {
  const { rows } = await database.query(
    'select key_id, public_key, wrapped_private_key from conversation_keys where conversation_id = $1',
    [id]
  )
  const secret = readFileSync(join(program.folder, '.data', 'master-secret'), 'utf8')
  expect(rows).toHaveLength(2)
  return rows.flatMap(({ key_id, public_key, wrapped_private_key }) => {
    const context = { keyId: key_id, fingerprint: fingerprint(public_key) }
    const der = unwrapPrivateKey(masterSecretFrom(Buffer.from(secret, 'base64')), wrapped_private_key, context)
    return [der, der.subarray(-700, -636)]
  })
}

/** Every row of every table as text: what compression on disk would hide from a search of the files. */
async function allRows(database: pg.Client): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`
  )
  const texts: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await database.query<{ text: string }>(`select t::text as text from ${name} t`)
    texts.push(...rows.map(({ text }) => text))
  }
  return texts.join('\n')
}

/** Connects to the embedded database as its owner, who has its password from the data folder. */
async function connect(): Promise<pg.Client> {
  const password = readFileSync(join(program.folder, '.data', 'postgres-password'), 'utf8').trim()
  const port = readFileSync(join(program.databaseFolder, 'postmaster.pid'), 'utf8').split('\n')[3]
  const client = new pg.Client({
    host: '127.0.0.1',
    port: Number(port),
    user: 'conclave',
    database: 'conclave',
    password
  })
  await client.connect()
  return client
}

function contentsOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Buffer.concat(files.flatMap((file) => [readFileSync(join(file.parentPath, file.name)), Buffer.from('\n')]))
}
