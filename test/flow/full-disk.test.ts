import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SendMessageDocument } from '../../documents/generated.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.js'
import { migrate } from '../../src/database/migrate.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { canHaveDisks, SmallDisk } from '../support/small-disk.js'
import { TcpProxy } from '../support/tcp-proxy.js'

const LONG = 'x'.repeat(60_000)
/** More than there can be room for: in the pages that a table has already, and in a segment of the log. */
const MANY = 500

interface Sent {
  /** In their order. */
  acknowledged: string[]
  /** Extensions of the first error; none came without. */
  refusal: object | undefined
}

/** Sends until it is refused. */
async function sendUntilRefused(sender: GraphQLClient, conversationId: string): Promise<Sent> {
  const acknowledged: string[] = []
  for (let count = 0; count < MANY; count++) {
    const body = `${count} ${LONG}`
    const { errors } = await sender.execute(SendMessageDocument, { input: { conversationId, body } })
    if (errors) return { acknowledged, refusal: errors[0]?.extensions }
    acknowledged.push(body)
  }
  return { acknowledged, refusal: undefined }
}

describe.skipIf(!canHaveDisks)('a database whose disk is full', () => {
  let disk: SmallDisk
  let own: OwnServer
  let conclave: TestConclave
  let alice: GraphQLClient
  let id: string

  beforeAll(async () => {
    disk = new SmallDisk(64)
    own = await startOwnServer()
    const client = new pg.Client({ connectionString: own.postgres.url })
    await client.connect()
    await client.query(`create tablespace small location '${disk.folder}'`)
    await client.query('create database on_small tablespace small')
    await client.end()
    const url = Object.assign(new URL(own.postgres.url), { pathname: '/on_small' }).href
    await migrate(url)
    conclave = await bootConclave({}, { DATABASE_URL: url })
    alice = await conclave.as('alice')
    id = await createConversation(alice, [])
  })
  afterAll(async () => {
    await conclave?.close()
    await own?.remove()
    disk?.remove()
  })

  it('refuses sends with a hint, keeps what it has acknowledged, and takes more when there is room', async () => {
    disk.fill()
    const { acknowledged, refusal } = await sendUntilRefused(alice, id)
    expect(refusal).toMatchObject({ code: 'INTERNAL', retryAfterMs: expect.any(Number) })
    expect(conclave.logged()).toContain('53100')
    // Until then the database may refuse to read as well, where it wants a page for what it knows of others.
    disk.makeRoom()
    await send(alice, id, 'there is room again')
    expect((await readBack(alice, id, 100)).map(({ body }) => body)).toEqual([...acknowledged, 'there is room again'])
  })
})

describe.skipIf(!canHaveDisks)('a database whose log is on the full disk', () => {
  let disk: SmallDisk
  let own: OwnServer
  let proxy: TcpProxy
  let conclave: TestConclave

  beforeAll(async () => {
    disk = new SmallDisk(96)
    own = await startOwnServer()
    await migrate(own.postgres.url)
    await own.postgres.stop()
    moveTo(disk, join(own.postgres.folder, 'pg_wal'))
    await own.startAgain()
    proxy = await TcpProxy.start(portOf(own.postgres))
    const url = Object.assign(new URL(own.postgres.url), { port: String(proxy.port) })
    conclave = await bootConclave({}, { DATABASE_URL: url.href })
  })
  afterAll(async () => {
    await conclave?.close()
    await proxy?.stop()
    await own?.remove()
    disk?.remove()
  })

  it('goes down, keeps every message that was acknowledged, and takes more when it is back and has room', async () => {
    const alice = await conclave.as('alice')
    const id = await createConversation(alice, [])
    disk.fill()
    const { acknowledged, refusal } = await sendUntilRefused(alice, id)
    expect(refusal).toMatchObject({ code: 'INTERNAL', retryAfterMs: expect.any(Number) })
    expect(acknowledged.length).toBeGreaterThan(0)
    expect(readFileSync(join(own.postgres.folder, 'server.log'), 'utf8')).toMatch(/PANIC:.*pg_wal.*No space left/)
    disk.makeRoom()
    await own.startAgain()
    proxy.retarget(portOf(own.postgres))
    await vi.waitFor(() => send(alice, id, 'there is room again'))
    expect((await readBack(alice, id, 100)).map(({ body }) => body)).toEqual([...acknowledged, 'there is room again'])
  })
})

interface OwnServer {
  postgres: EmbeddedPostgres
  startAgain(): Promise<void>
  remove(): Promise<void>
}

/** Not the one of all tests: a disk that is full fails the checkpoints of a whole server. */
async function startOwnServer(): Promise<OwnServer> {
  const password = 'of a server of this test alone'
  const folder = mkdtempSync(join(tmpdir(), 'conclave-disk-'))
  // For the server, which runs as somebody else.
  chmodSync(folder, 0o711)
  const own: OwnServer = {
    postgres: await startEmbeddedPostgres(folder, password),
    async startAgain() {
      own.postgres = await startEmbeddedPostgres(folder, password)
    },
    async remove() {
      await own.postgres.stop()
      rmSync(folder, { recursive: true })
    }
  }
  return own
}

/** Leaves a link in its place. */
function moveTo(disk: SmallDisk, folder: string): void {
  execFileSync('cp', ['-a', folder, disk.folder])
  rmSync(folder, { recursive: true })
  symlinkSync(join(disk.folder, basename(folder)), folder)
}

const portOf = ({ url }: EmbeddedPostgres) => Number(new URL(url).port)
