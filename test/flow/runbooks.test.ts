import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freePort, InstalledProgram } from '../support/program.js'
import { ANYBODY, hasMoto, Moto, REGION } from '../support/providers/moto.js'
import { hasOpenBao, OpenBao } from '../support/providers/openbao.js'
import { hasProviderClients, providerClientPath } from '../support/providers/provider-tools.js'

/** docs/operations.md is tried: its blocks are run as they stand, in their order, in one shell after the other. */

const LONG = 300_000
/** What a shell of its own has to know of the ones before it. */
const KEPT =
  "trap 'declare -f > .shell; declare -p TOKEN >> .shell 2> /dev/null || true' EXIT; [ ! -f .shell ] || . ./.shell"

let program: InstalledProgram
let bao: OpenBao
let moto: Moto
let env: Record<string, string>

describe.skipIf(!hasOpenBao || !hasMoto || !hasProviderClients)('the runbooks in docs/operations.md', () => {
  beforeAll(async () => {
    ;[bao, moto] = await Promise.all([OpenBao.start(), Moto.start()])
    program = await InstalledProgram.built(0o711)
    const port = String(await freePort())
    env = {
      PATH: `${providerClientPath}:${process.env.PATH}`,
      HOME: program.folder,
      NODE_COMPILE_CACHE: join(inject('builds'), 'compiled'),
      PORT: port,
      URL: `http://localhost:${port}/graphql`,
      KEY_BITS: '2048',
      KEY_POOL_TARGET: '2',
      BAO_ADDR: bao.url,
      BAO_TOKEN: bao.rootToken,
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: moto.url,
      AWS_ACCESS_KEY_ID: ANYBODY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ANYBODY.secretAccessKey
    }
  }, LONG)
  afterAll(async () => {
    await bash('[ ! -f conclave.pid ] || stop')
    await program.remove()
    await Promise.all([bao.stop(), moto.stop()])
  }, LONG)

  it('begin from a configuration with a local secret', { timeout: LONG }, async () => {
    expect(await runbook('What they take for granted')).toMatch(/local:2026-11 +\d+ +current/)
    for (let made = 0; made < 3; made++) {
      await bash(`npm run -s graphql -- CreateConversation 'input.memberIds=[]'`)
    }
  })

  it('rotate a local secret', { timeout: LONG }, async () => {
    const output = await runbook('Rotate a local secret')
    expect(output).toContain('3 keys would be moved, 0 set aside')
    expect(output).toContain('3 keys moved, 0 set aside')
    expect(output).toContain('local:2026-11 holds no key any more')
  })

  it('move to Vault', { timeout: LONG }, async () => {
    const output = await runbook('Move from a local secret to Vault or OpenBao')
    expect(output).toContain('local:2026-12 holds no key any more')
  })

  it('move to AWS KMS', { timeout: LONG }, async () => {
    expect(await runbook('Move from Vault to AWS KMS')).toContain('vault:transit/conclave holds no key any more')
  })

  it('restore a backup', { timeout: LONG }, async () => {
    const output = await runbook('Restore a backup that was taken before a rewrap')
    expect(output).toMatch(/"masterKey":"aws-kms:alias\/conclave","keys":\d+/)
  })

  it('go on without a master key that is lost', { timeout: LONG }, async () => {
    const output = await runbook('A master key is lost')
    expect(output).toMatch(/"masterKey":"local:lost","keys":\d+/)
    const rotated = [...output.matchAll(/^Version 2 is active, under (\S+)\.$/gm)]
    expect(rotated.map(([, masterKey]) => masterKey)).toEqual(Array(2).fill('local:2027-11'))
  })
})

async function runbook(title: string): Promise<string> {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const blocks = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '')
  expect(blocks.length, title).toBeGreaterThan(0)
  return await bash(blocks.join('\n'))
}

/** Fails on the first command that fails, as somebody at a terminal would stop there. */
async function bash(script: string): Promise<string> {
  const child = spawn('bash', ['-c', `set -eo pipefail\n${KEPT}\n${script}`], { cwd: program.folder, env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'exit')
  expect(code, output).toBe(0)
  return output
}
