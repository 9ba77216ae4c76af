import { z } from 'zod'
import { guarded } from '../guarded-master-key.js'
import {
  httpUrl,
  leavesTheMachineInTheClear,
  type MasterKeyProvider,
  notConfigured,
  readVariables
} from '../provider.js'
import { AWS_KMS_SCHEME, AwsKmsMasterKey } from './aws-kms-master-key.js'
import { KmsCalls } from './kms-calls.js'

const environment = {
  /** Also found by the SDK in its profile. */
  AWS_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be a region, such as eu-central-1')
    .optional(),
  AWS_ENDPOINT_URL_KMS: httpUrl().optional(),
  AWS_KMS_REQUESTS_PER_SECOND: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, 'must be a whole number from 1 to 99999')
    .transform(Number)
    .default(100)
}

/** `aws-kms:<key id, alias/… or ARN>`: a symmetric key of AWS KMS, with credentials as the AWS SDK finds them. */
export const awsKmsProvider: MasterKeyProvider = {
  scheme: AWS_KMS_SCHEME,
  form: 'aws-kms:<key id, alias/<name> or ARN>',
  name: /^(arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:(key\/[A-Za-z0-9-]+|alias\/[\w/-]+)|alias\/[\w/-]+|[A-Za-z0-9-]+)$/,
  variables: Object.keys(environment),
  configure({ variables, names, production }, problems) {
    if (names.length === 0) return notConfigured
    const env = readVariables(environment, variables, problems)
    if (production && leavesTheMachineInTheClear(env?.AWS_ENDPOINT_URL_KMS ?? ''))
      problems.push('AWS_ENDPOINT_URL_KMS must be an https:// URL, except for this machine (NODE_ENV is production).')
    if (!env) return notConfigured
    let calls: KmsCalls | null = null
    return async (name, { log, timeoutMs }) => {
      // One for all keys of this process: they share the rate.
      calls ??= new KmsCalls({
        region: env.AWS_REGION ?? null,
        endpoint: env.AWS_ENDPOINT_URL_KMS ?? null,
        requestsPerSecond: env.AWS_KMS_REQUESTS_PER_SECOND,
        timeoutMs
      })
      return guarded(new AwsKmsMasterKey(name, calls), timeoutMs, log)
    }
  }
}
