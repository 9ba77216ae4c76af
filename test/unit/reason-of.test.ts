import { inspect } from 'node:util'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { NotFound } from '../../src/errors.js'
import { faultOf, faultText, reasonOf } from '../../src/reason-of.js'
import { StartError } from '../../src/start-error.js'

const SECRET = 'hunter2'

function databaseError(code: string, message: string): Error {
  const error = new pg.DatabaseError(message, message.length, 'error')
  return Object.assign(error, {
    code,
    severity: 'ERROR',
    detail: SECRET,
    where: SECRET,
    query: SECRET,
    parameters: [SECRET]
  })
}

describe('what an error quotes', () => {
  it.each<[string, Error]>([
    ['a body that is no JSON', caught(() => JSON.parse(`{"a": ${SECRET}}`))],
    ['an argument that node refuses', caught(() => Buffer.alloc(1).compare(SECRET as never))],
    ['a text that is no number', caught(() => BigInt(SECRET))],
    ['a URL with a password', new Error(`no answer of postgres://conclave:${SECRET}@127.0.0.1:5432/conclave`)],
    ['a URL whose password has signs of its own', new Error(`bad redis://:a@${SECRET}/?#@host:6379`)],
    ['a URL with a token', new Error(`no answer of https://vault.example/v1?token=${SECRET}`)],
    ['a value of a data exception', databaseError('22P02', `invalid input syntax for type uuid: "${SECRET}"`)],
    ['a statement', databaseError('42601', `syntax error at or near "${SECRET}"`)],
    ['what a function of the database raises', databaseError('P0001', `no such key: '${SECRET}'`)],
    ['a value with quotation marks in it', databaseError('22P02', `invalid input: "a"b ${SECRET}" c"`)],
    [
      'what the ORM adds in a line of its own',
      databaseError('23514', `new row violates check constraint "a"\n - detail: Failing row contains (1, ${SECRET}).`)
    ],
    ['a value with a line break in it', new Error(`of "a": "x\n${SECRET}" is not good`)],
    ['a value before a line break', new Error(`of "a": "${SECRET}\nmore" is not good`)],
    [
      'what hangs on it',
      Object.assign(new Error('failed'), { command: { name: 'auth', args: [SECRET] }, cause: new Error(SECRET) })
    ]
  ])('is left out: %s', (_, error) => {
    expect(reasonOf(error)).not.toContain(SECRET)
    expect(JSON.stringify(faultOf(error))).not.toContain(SECRET)
    expect(faultText(error)).not.toContain(SECRET)
    // There is something to leave out.
    expect(inspect(error)).toContain(SECRET)
  })

  it.each([[SECRET], [{ body: SECRET }], [null], [[SECRET]]])('is left out of what is no error: %o', (thrown) => {
    expect(faultText(typeof thrown === 'string' ? { thrown } : thrown)).not.toContain(SECRET)
  })

  it('is left out of the words of a stack that look like a frame', () => {
    const error = new Error(`first line\n    at ${SECRET}`)
    expect(faultOf(error).stack).toMatch(/^ +at .*reason-of\.test/)
    expect(faultOf(error).stack).not.toContain(SECRET)
  })
})

describe('what an error says', () => {
  it.each<[unknown, string]>([
    [new NotFound('message'), 'There is no such message, or you have no access to it.'],
    [new StartError('Set "PORT" to a number.'), 'Set "PORT" to a number.'],
    [databaseError('42P01', 'relation "messages" does not exist'), 'relation "messages" does not exist (42P01)'],
    [
      databaseError('23505', 'duplicate key value violates unique constraint "users_pkey"'),
      'duplicate key value violates unique constraint "users_pkey" (23505)'
    ],
    [
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }),
      'connect ECONNREFUSED 127.0.0.1:1'
    ],
    [new AggregateError([Object.assign(new Error(''), { code: 'ECONNREFUSED' })]), 'Error (ECONNREFUSED)'],
    [new Error("the server doesn't answer, and isn't there"), "the server doesn't answer, and isn't there"],
    ['there was no answer', 'there was no answer']
  ])('stays, where it quotes nothing: %s', (error, words) => {
    expect(reasonOf(error)).toBe(words)
  })
})

function caught(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('it does not fail')
}
