import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildOptions } from '../child-program.js'
import { HttpSide } from '../http-side.js'
import { pageRequest, sendRequest } from '../operations.js'
import type { BenchDatabase, Stage } from '../stage.js'
import { ownerOf, seedConversations } from './conversations.js'

export const CONVERSATIONS = 50
const MESSAGES = 55
/** Their last 50 lie under three data keys: five of the first 25, all of the next, five of the last. */
const DATA_KEY_MAX_MESSAGES = 25
const SENDING_AT_ONCE = 16

/** What stands in the place of the cipher, if anything: of the process that sends, and of the one that reads. */
export type PageCipher = 'AES' | 'COPYING' | 'RSA'

/** A database with conversations of 55 messages, stored under a cipher, and their ids. */
export async function pagesUnder(
  stage: Stage,
  cipher: PageCipher
): Promise<{ database: BenchDatabase; ids: string[] }> {
  const { seed, clone } = await stage.seeded(`pages under ${cipher}`, (database) => seedPages(stage, database, cipher))
  return { database: await clone(), ids: seed }
}

/** An API process under that cipher and somebody who reads the last page of one conversation after the other. */
export async function openPaging(
  stage: Stage,
  cipher: PageCipher,
  { atOnce, imports = [], env = {} }: ChildOptions & { atOnce: number }
): Promise<HttpSide> {
  const { database, ids } = await pagesUnder(stage, cipher)
  const requests = await Promise.all(ids.map((id, index) => pageRequest(ownerOf(index), id)))
  const own = optionsOf(stage, cipher)
  return await HttpSide.open(stage, database, {
    requests,
    atOnce,
    imports: [...own.imports, ...imports],
    env: { ...own.env, ...env }
  })
}

async function seedPages(stage: Stage, database: BenchDatabase, cipher: PageCipher): Promise<string[]> {
  if (cipher === 'RSA') writeFileSync(rsaKeyFile(stage), rsaKey(), { mode: 0o600 })
  const ids = await seedConversations(stage, database, CONVERSATIONS)
  const requests = await Promise.all(ids.map((id, index) => sendRequest(ownerOf(index), id)))
  const { imports, env } = optionsOf(stage, cipher)
  const api = await stage.api(database, {
    imports,
    env: { ...env, DATA_KEY_MAX_MESSAGES: String(DATA_KEY_MAX_MESSAGES) }
  })
  const load = await stage.child('load/http-load.js')
  await load.call('aim', { url: api.url, requests, atOnce: SENDING_AT_ONCE })
  await load.call('run', { count: CONVERSATIONS * MESSAGES })
  await load.close()
  await api.close()
  return ids
}

function optionsOf(stage: Stage, cipher: PageCipher): { imports: string[]; env: Record<string, string> } {
  if (cipher === 'COPYING') return { imports: ['hooks/copying-cipher.js'], env: {} }
  if (cipher === 'RSA') return { imports: ['hooks/rsa-per-message.js'], env: { BENCH_RSA_KEY_FILE: rsaKeyFile(stage) } }
  return { imports: [], env: {} }
}

const rsaKeyFile = (stage: Stage) => join(stage.folder, 'rsa-per-message.pem')

function rsaKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 3072 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
}
