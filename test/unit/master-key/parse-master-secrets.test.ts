import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseMasterSecrets } from '../../../src/master-key/parse-master-secrets.js'

const one = randomBytes(32).toString('base64')
const two = randomBytes(32).toString('base64')
const base64Of = (bytes: number) => randomBytes(bytes).toString('base64')

describe('a text of master secrets', () => {
  it.each([
    ['no id', one],
    ['an empty id', `=${one}`],
    ['an id with a slash', `a/b=${one}`],
    ['an id of 65 characters', `${'x'.repeat(65)}=${one}`],
    ['spaces around its sign', `b = ${one}`],
    ['no secret', 'b='],
    ['31 bytes', `b=${base64Of(31)}`],
    ['33 bytes', `b=${base64Of(33)}`],
    ['64 bytes', `b=${base64Of(64)}`],
    ['hexadecimal digits', `b=${randomBytes(32).toString('hex')}`],
    ['base64 without its padding', `b=${one.slice(0, -1)}`],
    ['the alphabet of base64url', `b=${Buffer.alloc(32, 0xff).toString('base64url')}=`],
    ['a comment behind it', `b=${one} # mine`]
  ])('is refused for an entry with %s, which is told by its number and never by its text', (_, entry) => {
    for (const text of [`a=${one},${entry}`, `# of 2026, and of 2025\n\na=${one}\n${entry}\n`]) {
      expect(parse(text)).toEqual({
        secrets: { a: one },
        problems: ['SECRETS entry 2 must be id=base64 of 32 bytes (openssl rand -base64 32).']
      })
    }
  })

  it('is refused when an id comes twice', () => {
    expect(parse(`a=${one},b=${one},a=${two}`)).toEqual({
      secrets: { a: one, b: one },
      problems: ['SECRETS entry 3 names an id a second time.']
    })
  })

  it.each(['', ' ', '\n\n', ',,', '# nothing yet\n', `# a=${one}`, `  # a=${one},b=${two}`])(
    'is refused when it holds no secret: %j',
    (text) => {
      expect(parse(text)).toEqual({
        secrets: {},
        problems: ['SECRETS holds no secret: give at least one id=base64.']
      })
    }
  )

  it('is refused in one sentence per problem', () => {
    expect(parse('hunter2,hunter3').problems).toEqual([
      'SECRETS entry 1 must be id=base64 of 32 bytes (openssl rand -base64 32).',
      'SECRETS entry 2 must be id=base64 of 32 bytes (openssl rand -base64 32).',
      'SECRETS holds no secret: give at least one id=base64.'
    ])
  })

  it.each([
    ['commas', `a=${one},old=${two}`],
    ['commas and spaces', ` a=${one} , old=${two}, `],
    ['line breaks', `a=${one}\nold=${two}\n`],
    ["another system's line breaks", `a=${one}\r\n\r\nold=${two}\r\n`],
    ['both', `a=${one},\nold=${two}`]
  ])('gives its secrets by their ids, separated by %s', (_, text) => {
    expect(parse(text)).toEqual({ secrets: { a: one, old: two }, problems: [] })
  })

  it('may have comments, also with commas in them', () => {
    const text = `# the present one, made in 2026, by hand\na=${one}\n  # b=${two},c=${two}\n#\nold=${two}\n`
    expect(parse(text)).toEqual({ secrets: { a: one, old: two }, problems: [] })
  })

  it('may have ids of letters, digits, dots, hyphens and underscores', () => {
    const ids = ['2026-11', 'a.b_c-D', '__proto__', 'x'.repeat(64)]
    const secrets = parseMasterSecrets('SECRETS', ids.map((id) => `${id}=${one}`).join('\n'), [])
    expect([...secrets.keys()]).toEqual(ids)
  })
})

function parse(text: string) {
  const problems: string[] = []
  return { secrets: Object.fromEntries(parseMasterSecrets('SECRETS', text, problems)), problems }
}
