import { awsKmsProvider } from './aws-kms/aws-kms-provider.js'
import { localProvider } from './local-provider.js'
import type { MasterKey } from './master-key.js'
import { type MasterKeyProvider, notConfigured, type OpeningContext } from './provider.js'
import { vaultProvider } from './vault/vault-provider.js'

/** Every kind of master key there is. */
const PROVIDERS: readonly MasterKeyProvider[] = [localProvider, vaultProvider, awsKmsProvider]

/** Names of the variables that master keys of any kind read. */
export const masterKeyVariables: readonly string[] = PROVIDERS.flatMap(({ variables }) => variables)

/** What `uri` has to look like, or null when it does. Never repeats what it was given. */
export function problemOfMasterKeyUri(uri: string): string | null {
  return providerOf(uri) ? null : `must be ${PROVIDERS.map(({ form }) => form).join(', or ')}`
}

/**
 * Reads what the named master keys need from the environment.
 *
 * @param uris of which problemOfMasterKeyUri has nothing to say
 * @param problems takes a sentence for each that is missing or wrong
 * @returns how each of them is opened
 */
export function configureMasterKeys(
  uris: string[],
  env: { variables: NodeJS.ProcessEnv; production: boolean },
  problems: string[]
): (uri: string, context: OpeningContext) => Promise<MasterKey> {
  const opening = new Map(
    PROVIDERS.map((provider) => {
      const names = uris.filter((uri) => schemeOf(uri) === provider.scheme).map(nameOf)
      return [provider.scheme, provider.configure({ ...env, names }, problems)]
    })
  )
  return async (uri, context) => await (opening.get(schemeOf(uri)) ?? notConfigured)(nameOf(uri), context)
}

function providerOf(uri: string): MasterKeyProvider | undefined {
  return PROVIDERS.find(({ scheme, name }) => schemeOf(uri) === scheme && name.test(nameOf(uri)))
}

function schemeOf(uri: string): string {
  return uri.slice(0, Math.max(0, uri.indexOf(':')))
}

function nameOf(uri: string): string {
  return uri.slice(uri.indexOf(':') + 1)
}
