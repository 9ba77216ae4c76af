import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeyHealthDocument, KeyOperationDocument, RewrapPrivateKeysDocument } from '../../../documents/generated.js'
import { verifyKeyEvents } from '../../../src/conversation-key/verify-key-events.js'
import { createConversation, readBack, send } from '../../support/chat.js'
import { manyConversations } from '../../support/many-conversations.js'
import { InstalledProgram } from '../../support/program.js'
import { ANYBODY, hasMoto, Moto, REGION } from '../../support/providers/moto.js'
import { hasOpenBao, OpenBao } from '../../support/providers/openbao.js'
import { RollingPair } from '../../support/rolling-pair.js'
import { isLong } from '../../support/soak-length.js'

/**
 * From a local secret to another, to Vault, to AWS KMS: with the services themselves, workers that are killed on the
 * way, and members who send and read all the time.
 */

const CONVERSATIONS = isLong ? 5000 : 1500
/** In each of the three moves: five in all. */
const KILLS = [2, 2, 1]
const LONG = 900_000

let bao: OpenBao
let moto: Moto
let pair: RollingPair
let program: InstalledProgram
let services: NodeJS.ProcessEnv
let sent: Map<string, string[]>

const SECRETS = ['a', 'b'].map((id) => `${id}=${Buffer.alloc(32, id).toString('base64')}`).join(',')

describe.skipIf(!hasOpenBao || !hasMoto)(`moving the private keys of ${CONVERSATIONS} conversations`, () => {
  beforeAll(async () => {
    ;[bao, moto] = await Promise.all([OpenBao.start(), Moto.start()])
    await bao.makeTransitKey('transit', 'conclave')
    await moto.makeKey('alias/conclave')
    services = {
      MASTER_SECRETS: SECRETS,
      VAULT_ADDR: bao.url,
      VAULT_TOKEN: bao.rootToken,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: moto.url,
      AWS_KMS_REQUESTS_PER_SECOND: '2000',
      AWS_ACCESS_KEY_ID: ANYBODY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ANYBODY.secretAccessKey
    }
    // The SDK finds its credentials in the environment of the process, which here is that of the tests.
    vi.stubEnv('AWS_ACCESS_KEY_ID', ANYBODY.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', ANYBODY.secretAccessKey)
    program = await InstalledProgram.built()
    pair = await RollingPair.boot({}, { ...services, MASTER_KEY: 'local:a' })
    const alice = await pair.first.as('alice')
    const ids = await manyConversations(pair.first, alice, CONVERSATIONS)
    sent = new Map(ids.map((id) => [id, [`sent in ${id}`]]))
    pair.work('alice', sent)
  }, LONG)
  afterAll(async () => {
    await pair.close()
    await program.remove()
    await Promise.all([bao.stop(), moto.stop()])
    vi.unstubAllEnvs()
  }, LONG)

  it.each([
    ['local:a', 'local:b', KILLS[0] ?? 0],
    ['local:b', 'vault:transit/conclave', KILLS[1] ?? 0],
    ['vault:transit/conclave', 'aws-kms:alias/conclave', KILLS[2] ?? 0]
  ])(
    'from %s to %s loses none, and the one before is not needed any more',
    { timeout: LONG },
    async (from, to, kills) => {
      // First all processes can open what lies under the new master key, and only then is it used.
      await pair.restart({ ...services, MASTER_KEY: from, MASTER_KEYS_RETIRING: to })
      const both = { ...services, MASTER_KEY: to, MASTER_KEYS_RETIRING: from }
      await pair.restart(both)
      await rewrapWithKills(both, kills)
      await pair.restart({ ...services, MASTER_KEY: to })
      expect(await census()).toEqual([[to, sent.size]])
      await expectEverythingOpens()
      expect(await verifyKeyEvents(pair.first.services)).toMatchObject({ valid: true })
    }
  )

  it('failed nobody who sent or read meanwhile', { timeout: LONG }, async () => {
    expect(await pair.stop()).toEqual([])
    const bodies = [...sent.values()].flat()
    expect(bodies.length).toBeGreaterThan(CONVERSATIONS)
  })
})

async function rewrapWithKills(variables: NodeJS.ProcessEnv, kills: number): Promise<void> {
  const { id, total } = await pair.run('admin', async () => {
    const admin = await pair.first.as('admin', { scopes: ['keys:admin'] })
    return (await admin.run(RewrapPrivateKeysDocument, {})).rewrapPrivateKeys.operation
  })
  expect(total).toBe(sent.size)
  const env = {
    ...definedOf(variables),
    DATABASE_URL: pair.first.database.url,
    AUTH_JWT_SECRET: pair.first.services.authentication.jwtSecret,
    KEY_BITS: '2048',
    KEY_POOL_TARGET: '0',
    SCAN_EVERY: 'PT0.2S',
    // Slow enough to be killed in the middle.
    REWRAP_PER_SECOND: String(CONVERSATIONS * 0.3)
  }
  const meanwhile = await pair.run('alice', async (client) => await createConversation(client, []))
  for (let kill = 1; kill <= kills; kill++) {
    const worker = program.startWorker(env)
    const share = Math.floor(total / (kills + 1))
    await untilDone(id, randomInt((kill - 1) * share, kill * share))
    await worker.kill()
  }
  const last = program.startWorker(env)
  await vi.waitFor(async () => expect((await operationOf(id))?.finishedAt).toBeTruthy(), {
    timeout: LONG,
    interval: 300
  })
  await last.interrupt()
  expect(await operationOf(id)).toMatchObject({ state: 'SUCCEEDED', done: total, failed: 0 })
  await pair.run('alice', (client) => send(client, meanwhile, `sent in ${meanwhile}`))
  sent.set(meanwhile, [`sent in ${meanwhile}`])
}

function definedOf(variables: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined)
  )
}

async function untilDone(id: string, done: number): Promise<void> {
  await vi.waitFor(async () => expect((await operationOf(id))?.done).toBeGreaterThan(done), {
    timeout: 120_000,
    interval: 50
  })
}

async function operationOf(id: string) {
  const admin = await pair.first.as('admin', { scopes: ['keys:admin'] })
  return (await admin.run(KeyOperationDocument, { id })).keyOperation
}

/** Master keys that hold keys, and how many. */
async function census(): Promise<[string, number][]> {
  const auditor = await pair.first.as('auditor', { scopes: ['keys:read'] })
  const { keyHealth } = await auditor.run(KeyHealthDocument)
  return keyHealth.masterKeys
    .filter(({ wrappedKeyCount }) => wrappedKeyCount > 0)
    .map(({ uri, wrappedKeyCount }) => [uri, wrappedKeyCount])
}

/** With nothing left in memory of what was opened before. */
async function expectEverythingOpens(): Promise<void> {
  pair.first.services.keyring.forgetAll()
  const alice = await pair.first.as('alice')
  const ids = [...sent.keys()]
  while (ids.length > 0) {
    const read = ids.splice(0, 16).map(async (id) => {
      const bodies = (await readBack(alice, id)).map(({ body }) => body)
      // Somebody may be sending: what was acknowledged before is there.
      expect(bodies.slice(0, 1)).toEqual([`sent in ${id}`])
      expect(bodies).not.toContain(null)
    })
    await Promise.all(read)
  }
}
