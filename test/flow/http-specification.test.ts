import { type AuditRequirement, type AuditResult, serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootConclave, type TestConclave } from '../support/boot.js'

/**
 * GraphQL over HTTP, by the audits of the package that accompanies the specification. Some of them ask for `__type`, which
 * production refuses; nothing else of HTTP depends on the mode.
 */

const PREFLIGHT =
  'a page of another origin could have a browser send such a GET: queries by GET carry a header that it cannot set'
const STATUS =
  'clients, proxies and monitoring tell by the status that a request was refused, whichever JSON they accept'

/** What does not pass, and why not: SHOULD and MAY only. */
const REASONS: Record<string, string> = {
  '5A70 MAY accept application/x-www-form-urlencoded formatted GET requests': PREFLIGHT,
  'D6D5 MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/graphql-response+json':
    PREFLIGHT,
  '6A70 MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json': PREFLIGHT,
  '572B SHOULD use 200 status code on document parsing failure when accepting application/json': STATUS,
  'FDE2 SHOULD use 200 status code on document validation failure when accepting application/json': STATUS,
  '7B9B SHOULD use a status code of 200 on variable coercion failure when accepting application/json': STATUS
}

describe('the server', () => {
  let conclave: TestConclave
  beforeAll(async () => {
    conclave = await bootConclave({ mode: 'development' })
  })
  afterAll(() => conclave.close())

  const audits = serverAudits({ url: () => `${conclave.url}/graphql` })
  const isExcused = ({ id, name }: { id: string; name: string }) => `${id} ${name}` in REASONS

  it('is held to sixty-one audits, and excused from no MUST and from none that does not exist', () => {
    expect(audits).toHaveLength(61)
    expect(audits.filter(isExcused)).toHaveLength(Object.keys(REASONS).length)
    expect(audits.filter(isExcused).map(({ name }) => name)).not.toContainEqual(expect.stringMatching(/^MUST/))
  })

  it.each(audits.filter((audit) => !isExcused(audit)).map((audit) => [audit.name, audit] as const))(
    '%s',
    async (_, audit) => {
      const result = await audit.fn()
      expect(result.status, reasonOf(result)).toBe('ok')
    }
  )

  it.each(audits.filter(isExcused).map((audit) => [audit.name, audit] as const))(
    'does not, for a reason that is written down: %s',
    async (_, audit) => {
      const failing: Record<AuditRequirement, AuditResult['status']> = { MUST: 'error', SHOULD: 'warn', MAY: 'notice' }
      const requirement = audit.name.split(' ', 1)[0] as AuditRequirement
      const { status } = await audit.fn()
      expect(status, 'it passes: take it out of the table').not.toBe('ok')
      expect(status).toBe(failing[requirement])
    }
  )
})

function reasonOf(result: AuditResult): string {
  return 'reason' in result ? result.reason : ''
}
