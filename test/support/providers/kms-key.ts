import { AwsKmsMasterKey } from '../../../src/master-key/aws-kms/aws-kms-master-key.js'
import { KmsCalls } from '../../../src/master-key/aws-kms/kms-calls.js'
import { type AccessKey, ANYBODY, REGION } from './moto.js'

export interface KmsKeyOptions {
  keyId: string
  endpoint: string
  credentials?: AccessKey
  requestsPerSecond?: number
  timeoutMs?: number
}

/** A KMS key as the application would open it, but for where it finds its credentials. */
export function openKmsKey(options: KmsKeyOptions): AwsKmsMasterKey {
  const { keyId, endpoint, credentials = ANYBODY, requestsPerSecond = 1000, timeoutMs = 5000 } = options
  return new AwsKmsMasterKey(
    keyId,
    new KmsCalls({ region: REGION, endpoint, credentials, requestsPerSecond, timeoutMs })
  )
}
