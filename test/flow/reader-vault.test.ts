import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RotateKeyDocument } from '../../documents/generated.js'
import { bootConclave } from '../support/boot.js'
import { createConversation, readBack, send } from '../support/chat.js'
import { hasOpenBao, OpenBao } from '../support/providers/openbao.js'
import { linesOf, readerPythons, runReader } from '../support/reader.js'

const [python = ''] = readerPythons

describe.skipIf(!hasOpenBao || python === '')('the reader in Python, of private keys under Transit', () => {
  let bao: OpenBao

  beforeAll(async () => {
    bao = await OpenBao.start()
  })
  afterAll(() => bao.stop())

  it.each([
    ['of a plain key', 'plain', {}],
    ['of a derived key', 'derived', { derived: true }]
  ])('asks the service, and shows what the server shows: %s', async (_, name, options) => {
    await bao.makeTransitKey('transit', name, options)
    await bao.makePolicy(name, 'transit', name)
    const token = await bao.makeToken([name])
    const vault = { VAULT_ADDR: bao.url, VAULT_TOKEN: token }
    const conclave = await bootConclave({}, { ...vault, MASTER_KEY: `vault:transit/${name}` })
    const alice = await conclave.as('alice')
    const id = await createConversation(alice, [], { title: 'Under Transit' })
    await send(alice, id, 'before')
    await alice.run(RotateKeyDocument, { conversationId: id })
    await send(alice, id, 'after')
    const read = (env: Record<string, string>) =>
      runReader(python, 'read_conclave.py', [id, '--json'], { DATABASE_URL: conclave.database.url, ...env })
    const bodies = (env: Record<string, string>) =>
      linesOf<{ body?: string | null; reason?: string | null }>(read(env)).slice(1)
    expect(bodies(vault).map(({ body }) => body)).toEqual((await readBack(alice, id)).map(({ body }) => body))
    expect(bodies({ ...vault, VAULT_TOKEN: 'another' })[0]).toMatchObject({
      body: null,
      reason: `its key lies under vault:transit/${name}: Vault answers 403`
    })
    const swap = 'update conversation_keys set key_id = gen_random_uuid() where version = 1'
    await conclave.database.query(`set session_replication_role = replica; ${swap}`)
    expect(bodies(vault).map(({ body }) => body)).toEqual([null, 'after'])
    await conclave.close()
  })
})
