import { type MasterSecret, masterSecretFrom } from '../crypto/keys.js'
import { readSecretFile } from '../secret-files.js'
import { LocalMasterKey } from './local-master-key.js'
import { parseMasterSecrets } from './parse-master-secrets.js'
import type { MasterKeyProvider, ProviderEnvironment } from './provider.js'

/** The one whose secret development mode generates. */
const GENERATED = 'dev'

/** `local:<id>`: secrets in MASTER_SECRETS or MASTER_SECRETS_FILE. */
export const localProvider: MasterKeyProvider = {
  scheme: 'local',
  form: 'local:<id>, the id of letters, digits and ". _ -"',
  name: /^[A-Za-z0-9._-]{1,64}$/,
  variables: ['MASTER_SECRETS', 'MASTER_SECRETS_FILE'],
  configure(env, problems) {
    const secrets = readMasterSecrets(env.variables, problems)
    if (secrets) checkNamed(secrets, env, problems)
    else if (!env.variables.MASTER_SECRETS_FILE) checkGenerated(env, problems)
    // What is kept of them for as long as the process lives cannot be read as text.
    const keys = secrets && new Map([...secrets].map(([id, secret]) => [id, masterSecretOf(secret)]))
    return async (id, { developmentSecret }) => {
      const key = keys ? keys.get(id) : masterSecretOf(await developmentSecret())
      if (!key) throw new Error('a local master key has a secret')
      return new LocalMasterKey(id, key)
    }
  }
}

function masterSecretOf(base64: string): MasterSecret {
  return masterSecretFrom(Buffer.from(base64, 'base64'))
}

function readMasterSecrets(env: NodeJS.ProcessEnv, problems: string[]): Map<string, string> | null {
  const { MASTER_SECRETS: text, MASTER_SECRETS_FILE: path } = env
  if (text && path) problems.push('MASTER_SECRETS and MASTER_SECRETS_FILE are both set: set one of them.')
  if (text) return parseMasterSecrets('MASTER_SECRETS', text, problems)
  if (!path) return null
  const read = readSecretFile('MASTER_SECRETS_FILE', path, problems)
  return read === null ? null : parseMasterSecrets('MASTER_SECRETS_FILE', read, problems)
}

function checkNamed(secrets: Map<string, string>, { names, variables }: ProviderEnvironment, problems: string[]): void {
  const unnamed = variables.MASTER_KEY === undefined
  if (unnamed) problems.push('MASTER_KEY is missing: say which secret wraps new keys, such as local:2026-11.')
  for (const id of names.filter((id) => !secrets.has(id) && !(unnamed && id === GENERATED))) {
    problems.push(`local:${id} has no secret: add ${id}=<base64 of 32 bytes> to the master secrets.`)
  }
}

function checkGenerated({ names, production }: ProviderEnvironment, problems: string[]): void {
  if (names.length === 0) return
  if (production) {
    problems.push('MASTER_SECRETS or MASTER_SECRETS_FILE is missing: none is generated (NODE_ENV is production).')
  } else if (names.some((name) => name !== GENERATED)) {
    problems.push('MASTER_SECRETS or MASTER_SECRETS_FILE is missing: the master keys named need their secrets.')
  }
}
