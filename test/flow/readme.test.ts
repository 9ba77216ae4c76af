import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, InstalledProgram } from '../support/program.js'

/** README.md is tried: what it says to copy into a second terminal is run as it stands. */

let program: InstalledProgram
let url: string

beforeAll(async () => {
  program = new InstalledProgram()
  url = await program.start({ PORT: String(await freePort()) }).ready()
})
afterAll(() => program.remove())

describe('the conversation in README.md', () => {
  it('goes as it says', async () => {
    const { code, output } = await bash(conversation())
    expect(code, output).toBe(0)
    // The listener and the commands print side by side: what counts is each line, and the order of each one's own.
    const lines = output.split('\n')
    expect(lines.filter((line) => /^(Listening|#)/.test(line))).toEqual([
      'Listening.',
      '#1 SENT Alice: Hungry?',
      '#2 SENT Alice: At one, then.'
    ])
    expect(lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))).toEqual([
      { data: { sendMessage: { message: expect.objectContaining({ sequence: 1, keyVersion: 1 }) } } },
      {
        data: {
          rotateKey: {
            conversationId: expect.any(String),
            key: expect.objectContaining({ version: 2, state: 'ACTIVE' })
          }
        }
      },
      { data: { sendMessage: { message: expect.objectContaining({ sequence: 2, keyVersion: 2 }) } } },
      {
        data: {
          conversation: {
            title: 'Lunch',
            messages: {
              nodes: [
                { sequence: 1, keyVersion: 1, body: 'Hungry?', sender: { name: 'Alice' } },
                { sequence: 2, keyVersion: 2, body: 'At one, then.', sender: { name: 'Alice' } }
              ],
              pageInfo: { startCursor: expect.any(String) }
            }
          }
        }
      }
    ])
  })

  it('is set up by the two commands that are run here and in the whole suite', () => {
    expect(shellBlocks().map((block) => block.trim())).toEqual(
      expect.arrayContaining(['npm ci && npm start', 'npm ci && npm test'])
    )
  })
})

function shellBlocks(): string[] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  return [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '')
}

/** The block of the second terminal. `URL` makes it talk to the server of this test in the place of the default one. */
function conversation(): string {
  return shellBlocks().find((text) => text.includes('CreateConversation')) ?? ''
}

async function bash(script: string): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, URL: `${url}/graphql` }
  const child = spawn('bash', ['-c', script], { cwd: program.folder, env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  return { code, output }
}
