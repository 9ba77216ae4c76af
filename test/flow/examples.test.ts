import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { RemoveMemberDocument } from '../../documents/generated.js'
import { bootConclave, type TestConclave } from '../support/boot.js'
import { createConversation, send } from '../support/chat.js'
import type { GraphQLClient } from '../support/graphql-client.js'
import { freePort } from '../support/program.js'
import { TcpProxy } from '../support/tcp-proxy.js'

let conclave: TestConclave
let alice: GraphQLClient
let token: string

beforeAll(async () => {
  conclave = await bootConclave()
  alice = await conclave.as('alice', { name: 'Alice' })
  token = await conclave.token('bob')
})
afterAll(() => conclave.close())

describe('examples/graphql.mjs', () => {
  it.each([
    [
      ['CreateConversations'],
      expect.stringMatching(/^No operation in documents\/ is named CreateConversations\. There are: .*SendMessage/)
    ],
    [['Conversations', 'frist=5'], 'The operation has no variable frist.'],
    [['Conversation', 'id'], 'A variable is name=value; this is not: id'],
    [['Conversation', '{ "id": 1 }'], 'A variable is name=value; this is not: { "id": 1 }'],
    [['SendMessage', 'input=x', 'input.body=y'], 'input is not an input object; this gives it a field: input.body=y']
  ])('says in a sentence what is wrong with %j', async (args, sentence) => {
    const { code, lines } = await run('graphql.mjs', args, conclave.url)
    expect({ code, lines }).toEqual({ code: 1, lines: [sentence] })
  })

  it('says in a sentence that there is no server', async () => {
    const url = `http://localhost:${await freePort()}/graphql`
    const { code, lines } = await run('graphql.mjs', ['{ viewer { name } }'], url)
    expect({ code, lines }).toEqual({ code: 1, lines: [`There is no server at ${url}.`] })
  })

  it('says in a sentence that it is another server', async () => {
    const other = createServer((_, response) => response.end('<h1>Welcome</h1>')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const url = `http://localhost:${(other.address() as { port: number }).port}/graphql`
    const { code, lines } = await run('graphql.mjs', ['{ viewer { name } }'], url)
    expect({ code, lines }).toEqual({ code: 1, lines: [`What answers at ${url} is not Conclave: HTTP 200.`] })
    other.close()
  })

  it('prints what the server answers', async () => {
    const { code, lines } = await run('graphql.mjs', ['{ viewer { id } }'], `${conclave.url}/graphql`)
    expect({ code, lines }).toEqual({ code: 0, lines: [expect.stringContaining('{"data":{"viewer":{"id":"')] })
  })

  it('sends a ready operation with its fragments, and variables of every kind', async () => {
    const id = await createConversation(alice, ['bob'])
    const url = `${conclave.url}/graphql`
    const body = ['input.body=at = one,\nthen', `input.conversationId=${id}`]
    expect((await run('graphql.mjs', ['SendMessage', ...body], url)).code).toBe(0)
    await send(alice, id, 'later')
    const { lines } = await run('graphql.mjs', ['Messages', `id=${id}`, 'first=1'], url)
    expect(JSON.parse(lines[0] ?? '').data.conversation.messages).toMatchObject({
      totalCount: 2,
      edges: [{ node: { sequence: 1, body: 'at = one,\nthen', sender: { id: 'bob' } } }]
    })
  })
})

describe('examples/listen.mjs', () => {
  it('ends when the member is removed, although it had to connect again', async () => {
    const proxy = await TcpProxy.start(Number(new URL(conclave.url).port))
    const id = await createConversation(alice, ['bob'])
    const listener = start('listen.mjs', [id], `http://localhost:${proxy.port}/graphql`)
    await vi.waitFor(() => expect(listener.lines).toContain('Listening.'), { timeout: 20_000 })
    await send(alice, id, 'one')
    await vi.waitFor(() => expect(listener.lines).toContain('#1 SENT Alice: one'), { timeout: 20_000 })
    const { connections } = proxy
    proxy.cut()
    await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(connections), { timeout: 20_000 })
    proxy.restore()
    await send(alice, id, 'two')
    await vi.waitFor(() => expect(listener.lines).toContain('#2 SENT Alice: two'), { timeout: 20_000 })
    await alice.run(RemoveMemberDocument, { conversationId: id, userId: 'bob' })
    expect(await listener.ended).toBe(1)
    expect(listener.lines.at(-1)).toBe('You are no longer a member of this conversation.')
    await proxy.stop()
  })
})

interface Started {
  /** What it has printed, errors included. */
  lines: string[]
  /** Its exit code. */
  ended: Promise<number>
}

function start(file: string, args: string[], url: string): Started {
  const path = fileURLToPath(new URL(`../../examples/${file}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { env: { PATH: process.env.PATH, TOKEN: token, URL: url } })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.push(line))
  return { lines, ended: once(child, 'close').then(([code]) => code) }
}

async function run(file: string, args: string[], url: string): Promise<{ code: number; lines: string[] }> {
  const { lines, ended } = start(file, args, url)
  return { code: await ended, lines }
}
