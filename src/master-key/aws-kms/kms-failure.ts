import { MasterKeyError } from '../master-key-error.js'

interface ServiceFailure {
  name?: string
  $metadata?: { httpStatusCode?: number }
}

/** They carry the status of a client's mistake, and pass by themselves. */
const PASSING = new Set([
  'ThrottlingException',
  'TooManyRequestsException',
  'LimitExceededException',
  'RequestLimitExceeded',
  'DependencyTimeoutException',
  'KeyUnavailableException',
  'TimeoutError'
])
/** Before any request: no credentials, no region, a profile that cannot be read. */
const UNCONFIGURED = /^(CredentialsProviderError|TokenProviderError|ProviderError)$|Region is missing/

/** What a failed request says about the master key. The service's words and ids stay out of it. */
export function kmsFailure(uri: string, error: unknown): MasterKeyError {
  const { name = 'Error', $metadata } = error as ServiceFailure
  const status = $metadata?.httpStatusCode ?? 0
  if (PASSING.has(name) || status === 429)
    return new MasterKeyError('UNREACHABLE', uri, `KMS asks for patience (${name})`)
  // By its status: a proxy on the way, or moto, refuses in other words than KMS.
  if (status >= 400 && status < 500 && status !== 408)
    return new MasterKeyError('REFUSED', uri, `KMS refuses (${name})`)
  if (UNCONFIGURED.test(name) || UNCONFIGURED.test(String((error as Error).message)))
    return new MasterKeyError('REFUSED', uri, 'no AWS credentials or no AWS_REGION')
  return new MasterKeyError('UNREACHABLE', uri, `no answer from KMS (${codeOf(error)})`)
}

/** What a failure says about one ciphertext; null where it says nothing about it, but about the master key. */
export function ciphertextFailure(uri: string, error: unknown): MasterKeyError | null {
  switch ((error as ServiceFailure).name) {
    case 'IncorrectKeyException':
    case 'NotFoundException':
      return new MasterKeyError('WRONG_KEY', uri, 'another KMS key has encrypted it, or the one that did is gone')
    case 'InvalidCiphertextException':
      return new MasterKeyError('DAMAGED', uri, 'damaged, or of another private key')
    default:
      return null
  }
}

/** Of a ciphertext these may be meant for the key that has encrypted it, or for the one that was asked for. */
const DENIALS = new Set(['AccessDeniedException', 'DisabledException', 'KMSInvalidStateException'])

export function isDenied(error: unknown): boolean {
  return DENIALS.has((error as ServiceFailure).name ?? '')
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: string }
  return typeof code === 'string' ? code : (name ?? 'unknown')
}
