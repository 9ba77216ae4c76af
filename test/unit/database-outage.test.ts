import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { isDatabaseOutage } from '../../src/database/outage.js'

/** On a thread of its own: it can go away while this one looks elsewhere. It lets everybody in, and answers nothing else. */
const DATABASE = `
  const { createServer } = require('node:net')
  const { parentPort, workerData: { path, isGone } } = require('node:worker_threads')
  const AUTHENTICATED = Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 0]), READY = Buffer.from([90, 0, 0, 0, 5, 73])
  createServer((socket) => {
    socket.once('data', () => socket.write(Buffer.concat([AUTHENTICATED, READY])))
    socket.once('close', () => { Atomics.store(isGone, 0, 1); Atomics.notify(isGone, 0) })
    parentPort.once('message', () => socket.destroy())
  }).listen(path, () => parentPort.postMessage('listening'))`

describe('an outage of the database', () => {
  it.each([
    ['of a statement', { code: '23505', message: 'duplicate key' }],
    ['of a file', { code: 'ENOENT', message: 'no such file' }],
    ['of nobody knows what', new TypeError('x is not a function')],
    ['of nothing', null]
  ])('is no failure %s', (_, error) => {
    expect(isDatabaseOutage(error)).toBe(false)
  })

  it.each([
    ['a connection that cannot be made', { code: 'ECONNREFUSED' }],
    ['a full disk', { code: '53100' }],
    ['a server that stops', { code: '57P01' }],
    ['a silent one', new Error('Query read timeout')]
  ])('is %s', (_, error) => {
    expect(isDatabaseOutage(error)).toBe(true)
  })

  it('is also what a query is written to that nobody reads any more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'conclave-outage-'))
    const isGone = new Int32Array(new SharedArrayBuffer(4))
    const workerData = { path: join(folder, '.s.PGSQL.5432'), isGone }
    const database = new Worker(DATABASE, { eval: true, workerData })
    try {
      await new Promise((resolve) => database.once('message', resolve))
      const client = new pg.Client({ host: folder, port: 5432, user: 'x', database: 'x' })
      client.on('error', () => {})
      await client.connect()
      database.postMessage('go')
      // Its end is there, and this thread has not read it.
      Atomics.wait(isGone, 0, 0)
      const error = await client.query('select 1').catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'EPIPE' })
      expect(isDatabaseOutage(error)).toBe(true)
    } finally {
      await database.terminate()
      rmSync(folder, { recursive: true })
    }
  })
})
