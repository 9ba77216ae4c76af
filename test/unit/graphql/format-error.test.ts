import { Writable } from 'node:stream'
import { buildSchema, type ExecutionResult, GraphQLError, graphql, parse, Source } from 'graphql'
import { describe, expect, it } from 'vitest'
import {
  BadUserInput,
  type ConclaveError,
  Conflict,
  Forbidden,
  KeyDestroyed,
  KeyUnavailable,
  NotFound,
  Unauthenticated
} from '../../../src/errors.js'
import { CompilingExecutor } from '../../../src/graphql/compiling-executor.js'
import { formatError } from '../../../src/graphql/format-error.js'
import { createLogger } from '../../../src/log.js'

const INTERNAL = { message: 'Something went wrong on our side. Try again.', extensions: { code: 'INTERNAL' } }

describe('an error inside', () => {
  it('shows the client nothing of itself, and goes to the log', async () => {
    const failure = Object.assign(new TypeError('relation "members" does not exist'), { query: 'select hunter2' })
    const { formatted, logged } = await resolveWith(failure)
    expect(formatted).toEqual([{ ...INTERNAL, path: ['greeting'], locations: [{ line: 1, column: 3 }] }])
    const [line, ...more] = logged()
    expect(more).toEqual([])
    const reason = 'relation "…" does not exist'
    expect(line).toMatchObject({
      name: 'TypeError',
      reason,
      stack: expect.stringMatching(/^ +at /),
      path: ['greeting']
    })
    expect(JSON.stringify(line)).not.toContain('hunter2')
  })

  it('is the same to client and log where the operation was compiled', async () => {
    const { log, logged } = recordingLog()
    const executor = new CompilingExecutor()
    const failing = buildSchema('type Query { greeting: String }')
    const { greeting } = failing.getQueryType()?.getFields() ?? {}
    Object.assign(greeting ?? {}, { resolve: () => Promise.reject(new Error('inside')) })
    const args = { schema: failing, document: parse('{ greeting }') }
    await executor.execute(args)
    const { errors = [] } = await executor.execute(args)
    expect(errors.map((error) => formatError(log, error))).toMatchObject([{ ...INTERNAL, path: ['greeting'] }])
    expect(logged()).toMatchObject([{ name: 'Error', reason: 'inside', path: ['greeting'] }])
  })

  it.each([['a text: hunter2'], [null], [undefined], [{ password: 'hunter2' }]])(
    'shows the client nothing even when what was thrown is %o',
    (thrown) => {
      const { log } = recordingLog()
      expect(formatError(log, thrown)).toEqual(INTERNAL)
    }
  )

  it('is unmasked by no code that it carries', async () => {
    const disguised = Object.assign(new Error('hunter2'), { code: 'NOT_FOUND', extensions: { code: 'NOT_FOUND' } })
    const { formatted } = await resolveWith(disguised)
    expect(formatted).toMatchObject([INTERNAL])
    expect(JSON.stringify(formatted)).not.toContain('hunter2')
  })

  it('has no stack and no members beyond message, place and code', async () => {
    const { formatted } = await resolveWith(new Error('inside', { cause: new Error('hunter2') }))
    expect(formatted.map((error) => Object.keys(error).sort())).toEqual([
      ['extensions', 'locations', 'message', 'path']
    ])
    expect(formatted.map((error) => error.extensions)).toEqual([{ code: 'INTERNAL' }])
  })

  it('shows nothing of itself when it came before any operation, wrapped by the HTTP layer', () => {
    const { log, logged } = recordingLog()
    const originalError = new Error('connection to hunter2 refused')
    const wrapped = new GraphQLError(`Context creation failed: ${originalError.message}`, { originalError })
    expect(formatError(log, wrapped)).toEqual(INTERNAL)
    expect(logged()).toMatchObject([{ reason: 'connection to hunter2 refused' }])
  })

  it('is masked when it says itself that it is internal, though it looks like a fault of the request', async () => {
    const { log, logged } = recordingLog()
    const { errors = [] } = await graphql({ schema, source: '{ hunter2 }' })
    for (const { message, nodes = [] } of errors) {
      const error = new GraphQLError(message, { nodes, extensions: { code: 'INTERNAL_SERVER_ERROR' } })
      expect(formatError(log, error)).toEqual({ ...INTERNAL, locations: [{ line: 1, column: 3 }] })
    }
    expect(logged()).toMatchObject([{ msg: 'internal error' }])
  })
})

describe('a result that does not fit its type', () => {
  it.each([
    ['a number', 'number', 'secret text', ['number']],
    ['a number in a list', 'numbers', [1, 'secret text'], ['numbers', 1]],
    ['a list', 'numbers', 'secret text', ['numbers']],
    ['a text', 'greeting', { body: 'secret text' }, ['greeting']],
    ['a truth value', 'flag', 'secret text', ['flag']],
    ['a value of an enum', 'colour', 'secret text', ['colour']],
    ['something, and is null', 'required', null, ['required']]
  ])('is our own fault, masked and logged, where it should be %s', async (_, field, value, path) => {
    const { log, logged } = recordingLog()
    const source = `{ ${field} }`
    const { errors = [] } = await graphql({ schema, source, rootValue: { [field]: value } })
    const formatted = errors.map((error) => formatError(log, error))
    expect(formatted).toEqual([{ ...INTERNAL, path, locations: [{ line: 1, column: 3 }] }])
    expect(logged()).toMatchObject([{ msg: 'internal error', path }])
  })

  it('is masked also where an argument of the same field fits', async () => {
    const { log } = recordingLog()
    const rootValue = { double: () => 'secret text' }
    const { errors = [] } = await graphql({ schema, source: '{ double(of: 2) }', rootValue })
    expect(errors.map((error) => formatError(log, error))).toMatchObject([INTERNAL])
  })
})

describe('an error meant for the client', () => {
  it.each<[string, ConclaveError, string]>([
    ['UNAUTHENTICATED', new Unauthenticated(), 'Send a valid bearer token in the Authorization header.'],
    ['FORBIDDEN', new Forbidden('Ask an owner.'), 'Ask an owner.'],
    ['NOT_FOUND', new NotFound('message'), 'There is no such message, or you have no access to it.'],
    ['CONFLICT', new Conflict('Read again.'), 'Read again.'],
    ['KEY_DESTROYED', new KeyDestroyed(), 'The key that could open this was destroyed; it cannot be recovered.'],
    ['KEY_UNAVAILABLE', new KeyUnavailable(), 'The key that opens this is out of reach at present. Try again later.']
  ])('has the code %s, its message and its place, and is not logged', async (code, error, message) => {
    const { formatted, logged } = await resolveWith(error)
    const place = { path: ['greeting'], locations: [{ line: 1, column: 3 }] }
    expect(formatted).toEqual([{ message, ...place, extensions: { code } }])
    expect(logged()).toEqual([])
  })

  it('names the field at fault', async () => {
    const { formatted } = await resolveWith(new BadUserInput('input.body', 'Too long.'))
    expect(formatted).toMatchObject([
      { message: 'Too long.', extensions: { code: 'BAD_USER_INPUT', field: 'input.body' } }
    ])
  })

  it('is known also outside of any operation', () => {
    const { log } = recordingLog()
    expect(formatError(log, new NotFound('member'))).toEqual({
      message: 'There is no such member, or you have no access to it.',
      extensions: { code: 'NOT_FOUND' }
    })
  })

  it('is known when a variable was refused by it, before any field was reached', () => {
    const { log } = recordingLog()
    const originalError = new BadUserInput('id', 'No id.')
    const source = new Source('query ($id: Id) { greeting }')
    expect(formatError(log, new GraphQLError('x', { originalError, source, positions: [7] }))).toEqual({
      message: 'No id.',
      locations: [{ line: 1, column: 8 }],
      extensions: { code: 'BAD_USER_INPUT', field: 'id' }
    })
  })

  it('is known when only the HTTP layer has wrapped it', () => {
    const { log } = recordingLog()
    const originalError = new Unauthenticated('The token has expired. Get a new one.')
    const wrapped = new GraphQLError('x', { originalError, extensions: { http: { status: 401 } } })
    expect(formatError(log, wrapped)).toEqual({
      message: 'The token has expired. Get a new one.',
      extensions: { code: 'UNAUTHENTICATED' }
    })
  })
})

describe('a request that is at fault itself', () => {
  it.each([
    ['does not parse', '{ greeting', {}, /^Syntax Error: /],
    ['asks for what is not in the schema', '{ secret }', {}, /^Cannot query field "secret"/],
    ['has an argument of another type', '{ greeting(count: "x") }', {}, /cannot represent non-integer value/],
    [
      'has a variable of another type',
      'query ($n: Int) { greeting(count: $n) }',
      { n: 'x' },
      /^Variable "\$n" got invalid/
    ],
    ['leaves a variable out', 'query ($n: Int!) { greeting(count: $n) }', {}, /^Variable "\$n" of required type/],
    ['leaves an argument out', '{ double }', {}, /argument "of" of type "Int!" is required/],
    [
      'has null in a variable for an argument that has to be there',
      'query ($n: Int = 1) { double(of: $n) }',
      { n: null },
      /^Argument "of" of non-null type "Int!" must not be null/
    ]
  ])('is BAD_USER_INPUT and not logged when it %s', async (_, source, variableValues, message) => {
    const { log, logged } = recordingLog()
    const { errors = [] } = await graphql({ schema, source, variableValues })
    expect(errors.map((error) => formatError(log, error))).toEqual([
      expect.objectContaining({ message: expect.stringMatching(message), extensions: { code: 'BAD_USER_INPUT' } })
    ])
    expect(logged()).toEqual([])
  })
})

const schema = buildSchema(`
  enum Colour { RED }
  type Query {
    greeting(count: Int): String
    double(of: Int!): Int
    number: Int
    numbers: [Int]
    flag: Boolean
    colour: Colour
    required: Int!
  }`)

/** What a client gets when a resolver throws this. */
async function resolveWith(thrown: Error) {
  const { log, logged } = recordingLog()
  const rootValue = { greeting: () => Promise.reject(thrown) }
  const { errors = [] }: ExecutionResult = await graphql({ schema, source: '{ greeting }', rootValue })
  expect(errors).toHaveLength(1)
  return { formatted: errors.map((error) => formatError(log, error)), logged }
}

function recordingLog() {
  const lines: string[] = []
  const sink = new Writable({ write: (line, _, done) => done(void lines.push(String(line))) })
  return { log: createLogger('trace', sink), logged: () => lines.map((line) => JSON.parse(line) as object) }
}
