import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
/** Where scripts/provider-tools.sh puts them. */
const TOOLS = join(PROJECT, '.provider-tools', 'bin')

/** `bao` of OpenBao (or `vault`); null where there is none. */
export const openbaoCommand = find(process.env.OPENBAO_BIN, 'bao', 'vault')

/** `moto_server`, an AWS KMS for tests; null where there is none. */
export const motoCommand = find(process.env.MOTO_SERVER_BIN, 'moto_server')

/** What checks the Dockerfile, and the manifests for Kubernetes; null where there is none. */
export const hadolintCommand = find(undefined, 'hadolint')
export const kubernetesValidateCommand = find(undefined, 'kubernetes-validate')

/** The command lines of OpenBao and AWS, as people use them. */
export const hasProviderClients = existsSync(join(TOOLS, 'bao')) && existsSync(join(TOOLS, 'aws'))
export const providerClientPath = TOOLS

/** What the end of a test run says about what it has left out. */
export function missingProviderTools(): string[] {
  const missing = [
    ...(openbaoCommand ? [] : ['what needs OpenBao (vault: master keys)']),
    ...(motoCommand ? [] : ['what needs moto (aws-kms: master keys)']),
    ...(hasProviderClients ? [] : ['the runbooks of docs/operations.md']),
    ...(hadolintCommand ? [] : ['what needs hadolint (the Dockerfile)']),
    ...(kubernetesValidateCommand ? [] : ['what needs kubernetes-validate (the manifests)'])
  ]
  return missing.map((what) => `Not run: ${what}. scripts/provider-tools.sh installs it, into .provider-tools.`)
}

function find(configured: string | undefined, ...names: string[]): string | null {
  if (configured) return configured
  for (const name of names) {
    const installed = join(TOOLS, name)
    if (existsSync(installed)) return installed
    if (isOnPath(name)) return name
  }
  return null
}

function isOnPath(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
