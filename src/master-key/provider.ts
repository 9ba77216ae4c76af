import { z } from 'zod'
import type { Logger } from '../log.js'
import { isThisMachine } from '../this-machine.js'
import type { MasterKey } from './master-key.js'

/**
 * A kind of master key. To add one: a file that exports one of these, and a line in providers.ts. The URI of a master
 * key is `<scheme>:<name>`.
 */
export interface MasterKeyProvider {
  scheme: string
  /** What a URI must be, for the sentence that refuses another: "local:<id>, …". */
  form: string
  /** Names that it takes. */
  name: RegExp
  /** Names of the variables that it reads. */
  variables: readonly string[]
  /**
   * Reads its variables. Without names there is nothing to miss.
   *
   * @param problems takes a sentence for every variable that is missing or wrong, never with its value
   * @returns how one of its master keys is opened; opening asks no service
   */
  configure(env: ProviderEnvironment, problems: string[]): OpenMasterKey
}

export interface ProviderEnvironment {
  /** Never with empty variables. */
  variables: NodeJS.ProcessEnv
  /** Of all configured master keys of this scheme; there may be none. */
  names: string[]
  production: boolean
}

export type OpenMasterKey = (name: string, context: OpeningContext) => Promise<MasterKey>

/** What a provider returns whose variables are not there: a problem was told, or nobody names it. */
export const notConfigured: OpenMasterKey = async () => {
  throw new Error('this kind of master key is not configured')
}

export interface OpeningContext {
  log: Logger
  /** For one request to a service. */
  timeoutMs: number
  /** Base64 of the 32 bytes that development mode keeps in its data folder. */
  developmentSecret(): Promise<string>
}

/** Reads the variables of a shape; null, with a sentence for each that is wrong, when they are not as they must be. */
export function readVariables<Shape extends z.ZodRawShape>(
  shape: Shape,
  variables: NodeJS.ProcessEnv,
  problems: string[]
): z.output<z.ZodObject<Shape>> | null {
  const parsed = z.object(shape).safeParse(variables)
  if (parsed.success) return parsed.data
  problems.push(...parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}.`))
  return null
}

/** An http:// URL to another machine: tokens and private keys would pass in the clear. */
export function leavesTheMachineInTheClear(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isThisMachine(hostname)
}

/** A URL, or a sentence that does not repeat it: it may hold credentials. */
export function httpUrl() {
  return z.string('is missing').refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : null
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  }, 'must be an https:// URL, without credentials in it')
}
