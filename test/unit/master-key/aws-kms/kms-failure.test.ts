import { describe, expect, it } from 'vitest'
import { ciphertextFailure, isDenied, kmsFailure } from '../../../../src/master-key/aws-kms/kms-failure.js'

const failure = (name: string, more: object = {}) => Object.assign(new Error('words of the service'), { name, ...more })
const status = (httpStatusCode: number) => ({ $metadata: { httpStatusCode } })

describe('a failure of KMS', () => {
  it.each([
    'ThrottlingException',
    'TooManyRequestsException',
    'LimitExceededException',
    'RequestLimitExceeded',
    'DependencyTimeoutException',
    'KeyUnavailableException',
    'TimeoutError'
  ])('passes when it is %s, whatever its status', (name) => {
    expect(kmsFailure('aws-kms:a', failure(name, status(400)))).toMatchObject({
      kind: 'UNREACHABLE',
      message: `master key aws-kms:a: KMS asks for patience (${name})`
    })
  })

  it('passes with the status 429', () => {
    expect(kmsFailure('aws-kms:a', failure('Odd', status(429)))).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key aws-kms:a: KMS asks for patience (Odd)'
    })
  })

  it.each([400, 401, 403, 404, 407, 409, 499])('is a refusal with the status %d', (code) => {
    expect(kmsFailure('aws-kms:a', failure('Odd', status(code)))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key aws-kms:a: KMS refuses (Odd)'
    })
  })

  it.each([399, 408, 500, 503])('is an outage with the status %d', (code) => {
    expect(kmsFailure('aws-kms:a', failure('Odd', status(code)))).toMatchObject({
      kind: 'UNREACHABLE',
      message: 'master key aws-kms:a: no answer from KMS (Odd)'
    })
  })

  it.each(['CredentialsProviderError', 'TokenProviderError', 'ProviderError'])('is a refusal when it is %s', (name) => {
    expect(kmsFailure('aws-kms:a', failure(name))).toMatchObject({
      kind: 'REFUSED',
      message: 'master key aws-kms:a: no AWS credentials or no AWS_REGION'
    })
    expect(kmsFailure('aws-kms:a', failure(`My${name}`))).toMatchObject({ kind: 'UNREACHABLE' })
    expect(kmsFailure('aws-kms:a', failure(`${name}s`))).toMatchObject({ kind: 'UNREACHABLE' })
  })

  it('is a refusal without a region', () => {
    expect(kmsFailure('aws-kms:a', new Error('Region is missing'))).toMatchObject({ kind: 'REFUSED' })
  })

  it('is told by its code where it has one, and never by its words', () => {
    expect(kmsFailure('aws-kms:a', failure('Error', { code: 'ECONNRESET' })).message).toBe(
      'master key aws-kms:a: no answer from KMS (ECONNRESET)'
    )
    expect(kmsFailure('aws-kms:a', failure('Odd', { code: 7 })).message).toContain('(Odd)')
    expect(kmsFailure('aws-kms:a', {}).message).toBe('master key aws-kms:a: no answer from KMS (unknown)')
    expect(kmsFailure('aws-kms:a', status(400)).message).toBe('master key aws-kms:a: KMS refuses (Error)')
  })

  it('says nothing of a ciphertext unless it names it', () => {
    expect(ciphertextFailure('aws-kms:a', failure('AccessDeniedException'))).toBeNull()
    expect(isDenied(failure('AccessDeniedException'))).toBe(true)
    expect(isDenied(failure('InvalidCiphertextException'))).toBe(false)
    expect(isDenied({})).toBe(false)
  })
})
