import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InstalledProgram, type RunningProgram } from '../support/program.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

/** What an attacker would try who can have one line run, or gets at a function through an object. */
const ATTEMPTS = {
  eval: `eval('1')`,
  'indirect eval': `(0, eval)('1')`,
  'new Function': `new Function('return 1')`,
  Function: `Function('return 1')`,
  'the constructor of a function': `[].map.constructor('return 1')`,
  'the constructor of an async function': `(async () => {}).constructor('return 1')`,
  'the constructor of a generator': `(function* () {}).constructor('yield 1')`,
  'the constructor of an async generator': `(async function* () {}).constructor('yield 1')`,
  'another constructor in its place': `Object.getPrototypeOf(() => {}).constructor = 1`,
  'a member for all objects': `({}).__proto__.isAdmin = true`,
  'a member for all lists': `Array.prototype.isAdmin = true`
}

const attempt = ([name, code]: [string, string]) =>
  `try { ${code}; console.log('done: ${name}') } catch (error) { console.log('refused: ${name}') }`
const hook = `process.on('SIGHUP', () => { ${Object.entries(ATTEMPTS).map(attempt).join(';')}; console.log('tried') })`
const flags = ['--disable-proto=delete', `--import=data:text/javascript,${encodeURIComponent(hook)}`]

let program: InstalledProgram
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  program = await InstalledProgram.built()
}, 120_000)
afterAll(async () => {
  await program.remove()
  await database.drop()
})

describe('a server that refuses code from text', () => {
  it('makes none, adds nothing to what all objects inherit from, and serves', { timeout: 60_000 }, async () => {
    const running = program.startApi(environment({ CODE_FROM_STRINGS: 'refused' }), flags)
    const url = await running.ready()
    expect(await outcomes(running)).toEqual(Object.keys(ATTEMPTS).map((name) => `refused: ${name}`))
    for (let times = 0; times < 3; times++) expect(await devToken(url)).toMatchObject({ data: { devToken: {} } })
    const pages = ['/graphiql', '/sandbox', '/jobs'].map(async (path) => (await fetch(url + path)).status)
    expect(await Promise.all(pages)).toEqual([200, 200, 401])
  })
})

describe('a server as it is by default', () => {
  it('compiles what comes again, and adds nothing to what all objects inherit from', { timeout: 60_000 }, async () => {
    const running = program.startApi(environment({}), flags)
    const url = await running.ready()
    const refused = (await outcomes(running)).filter((line) => line.startsWith('refused'))
    expect(refused).toEqual(['refused: a member for all objects', 'refused: a member for all lists'])
    for (let times = 0; times < 3; times++) expect(await devToken(url)).toMatchObject({ data: { devToken: {} } })
  })
})

function environment(more: Record<string, string>): Record<string, string> {
  return { DATABASE_URL: database.url, PORT: '0', ...more }
}

async function outcomes(running: RunningProgram): Promise<string[]> {
  running.send('SIGHUP')
  await running.printed('tried')
  return running.output.split('\n').filter((line) => /^(done|refused): /.test(line))
}

async function devToken(url: string): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'mutation { devToken(userId: "alice") { token } }' })
  })
  return await response.json()
}
