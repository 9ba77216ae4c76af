import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './program.js'

export interface TestRedis {
  url: string
  stop(): Promise<void>
}

/** Whether tests can have a Redis: the one of REDIS_URL, or a `redis-server` on this machine to start. */
export const hasRedis = process.env.REDIS_URL !== undefined || isInstalled()

/** The Redis of REDIS_URL, or one of our own on a port and in a folder of its own. */
export async function startRedis(): Promise<TestRedis> {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, stop: async () => {} }
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'conclave-redis-'))
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
  await untilReady(server)
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      server.kill('SIGTERM')
      await once(server, 'exit')
      rmSync(folder, { recursive: true })
    }
  }
}

async function untilReady(server: ChildProcess): Promise<void> {
  let output = ''
  for await (const chunk of server.stdout as NodeJS.ReadableStream) {
    output += chunk
    if (output.includes('Ready to accept connections')) break
  }
  // Reading on in the background: a full pipe would stop the server.
  server.stdout?.resume()
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
