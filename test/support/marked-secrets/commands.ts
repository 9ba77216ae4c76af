import type { MarkedConversation } from './marked-world.js'

/** What is given on the command line, and how that ends. */
export interface GivenCommand {
  args: string[]
  code: number
  /** Beside the environment of all of them. */
  env?: Record<string, string>
}

/** What commands are given that is secret, or needed by them. */
export interface CommandSubject {
  conversation: MarkedConversation
  /** Whose first version is given up. */
  compromised: MarkedConversation
  name: string
  /** Text that is refused, wherever it is put. */
  refused: string
  /** Of a JWT secret: it is too short. */
  tooShort: string
  /** Of the login that owns the tables. */
  ownerUrl: string
  /** With passwords that are others. */
  elsewhere: { databaseUrl: string; redisUrl: string }
  /** Names of all master keys, those included that refuse whatever they are asked. */
  masterKeys: string
}

/** By name, what is in the files that the commands below are given. */
export function filesForCommands(
  recipient: { publicPem: string; privatePem: string },
  otherPem: string,
  { body, refused }: { body: string; refused: string }
): Record<string, string> {
  const message = {
    type: 'message',
    conversationId: 'a',
    id: 'b',
    senderId: 'alice',
    body,
    createdAt: '2026-01-01T00:00:00Z'
  }
  const lines = [
    { type: 'conversation', id: 'a', title: body },
    message,
    { type: 'member', conversationId: 'a', userId: 'alice', role: 'OWNER' }
  ].map((line) => JSON.stringify(line))
  return {
    'public.pem': recipient.publicPem,
    'private.pem': recipient.privatePem,
    'refused.pem': otherPem.replace(/\n.{30}/, `\n${refused}`),
    'good.jsonl': lines.join('\n'),
    'refused.jsonl': `${lines[0]}\n{"body": "${refused}`,
    'unknown.jsonl': `${lines[0]}\n${JSON.stringify({ ...message, colour: refused })}`
  }
}

/** Every command, as it succeeds and fails, for people or for programs, in rows: each needs those before it in its own. */
export function givenCommands(of: CommandSubject): GivenCommand[][] {
  return [filesOf(of), [...keysOf(of), ...refusing(of)]]
}

function filesOf({ conversation: { conversationId: id }, elsewhere }: CommandSubject): GivenCommand[] {
  return [
    { args: ['export', id, '--for', 'public.pem', '--out', 'own.export'], code: 0 },
    { args: ['export', id, '--for', 'refused.pem'], code: 1 },
    { args: ['export', '--signing-keys', '--json'], code: 0 },
    { args: ['open', 'own.export', '--key', 'private.pem', '--out', 'opened'], code: 0 },
    { args: ['import', 'good.jsonl', '--json'], code: 0 },
    { args: ['import', 'own.export', '--key', 'refused.pem', '--json'], code: 1 },
    { args: ['import', 'refused.jsonl'], code: 1 },
    { args: ['import', 'unknown.jsonl', '--json'], code: 1 },
    { args: ['import', '--sql', '--json'], code: 1, env: { SOURCE_DATABASE_URL: elsewhere.databaseUrl } }
  ]
}

function keysOf({ conversation: { conversationId: id }, compromised }: CommandSubject): GivenCommand[] {
  return [
    ['list', id],
    ['rotate', id],
    ['rotate-due', '--json'],
    ['destroy', id, '1', '--yes', '--json'],
    ['compromise', compromised.conversationId, '1', '--yes'],
    ['rewrap', '--dry-run', '--json'],
    ['verify-audit']
  ].map((args) => ({ args: ['keys', ...args], code: 0 }))
}

/** Where services, and the configuration, refuse what is secret. */
function refusing(of: CommandSubject): GivenCommand[] {
  const { name, ownerUrl, masterKeys, elsewhere } = of
  const logins = { API_DATABASE_URL: elsewhere.databaseUrl, WORKER_DATABASE_URL: elsewhere.databaseUrl }
  return [
    { args: ['token', 'alice', '--name', name], code: 0 },
    { args: ['token', 'alice', '--json'], code: 0 },
    { args: ['migrate'], code: 0, env: { DATABASE_URL: ownerUrl } },
    { args: ['keys', 'census'], code: 1, env: logins },
    { args: ['keys', 'census', '--json'], code: 1, env: refusedConfiguration(of) },
    { args: ['doctor'], code: 3, env: { MASTER_KEYS_RETIRING: masterKeys } },
    { args: ['doctor', '--json'], code: 3, env: { ...logins, REDIS_URL: elsewhere.redisUrl } }
  ]
}

/** Nothing in it can be used. */
function refusedConfiguration({ refused, tooShort, masterKeys }: CommandSubject): Record<string, string> {
  return {
    DATABASE_URL: refused,
    API_DATABASE_URL: `mysql://conclave:${refused}@localhost/conclave`,
    WORKER_DATABASE_URL: '',
    WORKER_DATABASE_URL_FILE: refused,
    REDIS_URL: `http://:${refused}@localhost`,
    AUTH_JWT_SECRET: tooShort,
    AUTH_JWKS_URL: refused,
    MASTER_KEYS_RETIRING: masterKeys,
    MASTER_SECRETS: `now=${refused},${refused}`,
    VAULT_ADDR: refused,
    VAULT_SECRET_ID: refused,
    VAULT_ROLE_ID: refused,
    AWS_ENDPOINT_URL_KMS: refused,
    OTEL_EXPORTER_OTLP_ENDPOINT: refused
  }
}
