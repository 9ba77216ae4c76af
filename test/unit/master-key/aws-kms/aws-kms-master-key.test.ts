import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { AwsKmsMasterKey } from '../../../../src/master-key/aws-kms/aws-kms-master-key.js'
import type { KmsCalls } from '../../../../src/master-key/aws-kms/kms-calls.js'
import { encodeKmsEnvelope } from '../../../../src/master-key/aws-kms/kms-envelope.js'
import type { CallOptions, MasterKey } from '../../../../src/master-key/master-key.js'
import { MasterKeyError } from '../../../../src/master-key/master-key-error.js'
import { rejectionOf } from '../../failures.js'

const HOME = 'arn:aws:kms:eu-central-1:123456789012:'
const ARN = `${HOME}key/11111111-1111-1111-1111-111111111111`
const OTHER_ARN = `${HOME}key/22222222-2222-2222-2222-222222222222`
const FOREIGN_ARN = 'arn:aws:kms:eu-central-1:999999999999:key/33333333-3333-3333-3333-333333333333'
const ALIAS = 'alias/conclave'

const context = { keyId: randomUUID(), fingerprint: randomBytes(32) }
const encryptionContext = { keyId: context.keyId, fingerprint: context.fingerprint.toString('hex') }
const privateKey = randomBytes(100)
const stored = (keyArn = ARN, blob = Buffer.from('blob')) => ({
  wrapped: encodeKmsEnvelope({ keyArn, ciphertextBlob: blob }),
  context
})

type Command = 'Describe' | 'Encrypt' | 'Decrypt' | 'ReEncrypt'
interface Asked {
  command: Command
  input: Record<string, unknown>
  options: CallOptions
}

/** A KMS that answers each command as it is told; by default it gives back what it was given. */
class Kms {
  readonly asked: Asked[] = []
  closed = false
  arn = ARN
  answers: Partial<Record<Command, (input: Record<string, unknown>) => object>> = {}

  async run(send: (client: object, options: object) => Promise<unknown>, options: CallOptions): Promise<unknown> {
    const client = {
      send: async (request: { constructor: { name: string }; input: Record<string, unknown> }, sending: object) => {
        expect(sending).toBe(passed)
        const command = request.constructor.name.replace(/(Key)?Command$/, '') as Command
        this.asked.push({ command, input: request.input, options })
        return (this.answers[command] ?? this.#byDefault[command])(request.input)
      }
    }
    const passed = {}
    return await send(client, passed)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  inputs(command: Command): Record<string, unknown>[] {
    return this.asked.filter((asked) => asked.command === command).map(({ input }) => input)
  }

  readonly #byDefault: Record<Command, (input: Record<string, unknown>) => object> = {
    Describe: () => ({ KeyMetadata: { Arn: this.arn, KeySpec: 'SYMMETRIC_DEFAULT' } }),
    Encrypt: ({ Plaintext }) => ({ KeyId: this.arn, CiphertextBlob: Plaintext }),
    Decrypt: ({ CiphertextBlob }) => ({ Plaintext: CiphertextBlob }),
    ReEncrypt: ({ CiphertextBlob }) => ({ KeyId: this.arn, CiphertextBlob })
  }
}

function open(kms: Kms, keyId = ARN): AwsKmsMasterKey {
  return new AwsKmsMasterKey(keyId, kms as unknown as KmsCalls)
}

function failing(name: string, more: object = {}): () => never {
  return () => {
    throw Object.assign(new Error('words of the service'), { name, ...more })
  }
}

describe('a key of AWS KMS', () => {
  it.each([
    {},
    { KeyMetadata: {} },
    { KeyMetadata: { Arn: ARN } },
    { KeyMetadata: { Arn: ARN, KeySpec: 'RSA_4096' } },
    { KeyMetadata: { Arn: 'conclave', KeySpec: 'SYMMETRIC_DEFAULT' } },
    { KeyMetadata: { KeySpec: 'SYMMETRIC_DEFAULT' } }
  ])('that is described as %j is REFUSED', async (description) => {
    const kms = new Kms()
    kms.answers.Describe = () => description
    for (const call of [open(kms).version(), open(kms).check(), open(kms).unwrap([stored()])]) {
      expect(await rejectionOf(call)).toMatchObject({
        kind: 'REFUSED',
        message: `master key aws-kms:${ARN}: not a symmetric key: make one with KeySpec SYMMETRIC_DEFAULT`
      })
    }
    expect(kms.asked.map(({ command }) => command)).toEqual(['Describe', 'Describe', 'Describe'])
  })

  it('has the ARN that its name has now as its version', async () => {
    const kms = new Kms()
    const key = open(kms, ALIAS)
    expect(key.uri).toBe('aws-kms:alias/conclave')
    expect(await key.version()).toBe(ARN)
    expect(kms.inputs('Describe')).toEqual([{ KeyId: ALIAS }])
  })

  it('is good when it gives back what it was given', async () => {
    const kms = new Kms()
    await open(kms).check()
    expect(kms.asked.map(({ command }) => command)).toEqual(['Describe', 'Encrypt', 'Describe', 'Decrypt'])
    kms.answers.Decrypt = failing('InvalidCiphertextException')
    expect(await rejectionOf(open(kms).check())).toMatchObject({ kind: 'REFUSED' })
  })

  it('closes its connection', async () => {
    const kms = new Kms()
    await open(kms).close()
    expect(kms.closed).toBe(true)
  })
})

describe('wrapping by KMS', () => {
  it.each([
    {},
    { KeyId: ARN },
    { CiphertextBlob: Buffer.of(1) },
    { KeyId: ARN, CiphertextBlob: Buffer.alloc(0) },
    { KeyId: 'conclave', CiphertextBlob: Buffer.of(1) }
  ])('is REFUSED when it is answered %j', async (answer) => {
    const kms = new Kms()
    kms.answers.Encrypt = () => answer
    expect(await rejectionOf(open(kms).wrap([{ privateKey, context }]))).toMatchObject({
      kind: 'REFUSED',
      message: `master key aws-kms:${ARN}: KMS answered without a ciphertext and the ARN of its key`
    })
  })

  it('binds the context, and keeps which key has encrypted', async () => {
    const kms = new Kms()
    const options = { background: true }
    expect(await open(kms, ALIAS).wrap([{ privateKey, context }], options)).toEqual([
      { wrapped: encodeKmsEnvelope({ keyArn: ARN, ciphertextBlob: privateKey }), version: ARN }
    ])
    expect(kms.asked).toMatchObject([
      { input: { KeyId: ALIAS, Plaintext: privateKey, EncryptionContext: encryptionContext }, options }
    ])
  })

  it('ends as a whole with the first that fails, and tells the others to stop', async () => {
    const kms = new Kms()
    kms.answers.Encrypt = failing('AccessDeniedException', { $metadata: { httpStatusCode: 400 } })
    const keys = [
      { privateKey, context },
      { privateKey, context }
    ]
    expect(await rejectionOf(open(kms).wrap(keys))).toMatchObject({ kind: 'REFUSED' })
    expect(kms.asked.map(({ options }) => options.signal?.aborted)).toEqual([true, true])
  })

  it('is given up when whoever asked gives up', async () => {
    const kms = new Kms()
    const asking = new AbortController()
    await open(kms).wrap([{ privateKey, context }], { signal: asking.signal })
    expect(kms.asked[0]?.options.signal?.aborted).toBe(false)
    asking.abort()
    expect(kms.asked[0]?.options.signal?.aborted).toBe(true)
  })
})

describe('unwrapping by KMS', () => {
  it('asks the key that has encrypted, with the context', async () => {
    const kms = new Kms()
    expect(await open(kms).unwrap([stored()], { background: true })).toEqual([Buffer.from('blob')])
    expect(kms.inputs('Decrypt')).toEqual([
      { KeyId: ARN, CiphertextBlob: Buffer.from('blob'), EncryptionContext: encryptionContext }
    ])
    expect(kms.asked.at(-1)?.options.background).toBe(true)
  })

  it('asks nobody for none, and for its ARN only once', async () => {
    const kms = new Kms()
    const key = open(kms)
    expect(await key.unwrap([])).toEqual([])
    expect(kms.asked).toEqual([])
    await key.unwrap([stored()])
    await key.unwrap([stored()])
    expect(kms.inputs('Describe')).toHaveLength(1)
  })

  it('does not ask a key that this one is not, but an alias may have named any of its account and region', async () => {
    const kms = new Kms()
    const denied = { kind: 'WRONG_KEY', message: expect.stringContaining('another KMS key has encrypted it') }
    expect(await open(kms).unwrap([stored(OTHER_ARN)])).toMatchObject([denied])
    expect(await open(kms, `${HOME}key/alias`).unwrap([stored(OTHER_ARN)])).toMatchObject([denied])
    expect(await open(kms, ALIAS).unwrap([stored(FOREIGN_ARN)])).toMatchObject([denied])
    expect(kms.inputs('Decrypt')).toEqual([])
    expect(await open(kms, ALIAS).unwrap([stored(OTHER_ARN)])).toEqual([Buffer.from('blob')])
    expect(await open(kms, `${HOME}${ALIAS}`).unwrap([stored(OTHER_ARN)])).toEqual([Buffer.from('blob')])
    expect(kms.inputs('Decrypt')).toMatchObject([{ KeyId: OTHER_ARN }, { KeyId: OTHER_ARN }])
  })

  it('says what is wrong with each, and opens the others', async () => {
    const kms = new Kms()
    const failures: Record<string, () => object> = {
      wrong: failing('IncorrectKeyException'),
      gone: failing('NotFoundException'),
      bad: failing('InvalidCiphertextException'),
      empty: () => ({ Plaintext: new Uint8Array() }),
      none: () => ({}),
      good: () => ({ Plaintext: Buffer.concat([Buffer.of(9), Buffer.from('good')]).subarray(1) })
    }
    kms.answers.Decrypt = ({ CiphertextBlob }) => failures[String(CiphertextBlob)]?.() ?? {}
    const keys = Object.keys(failures).map((name) => stored(ARN, Buffer.from(name)))
    const results = await open(kms).unwrap([{ wrapped: Buffer.of(1, 4, 1), context }, ...keys])
    expect(results).toMatchObject([
      { kind: 'DAMAGED', message: `master key aws-kms:${ARN}: not an envelope of AWS KMS` },
      {
        kind: 'WRONG_KEY',
        message: `master key aws-kms:${ARN}: another KMS key has encrypted it, or the one that did is gone`
      },
      { kind: 'WRONG_KEY' },
      { kind: 'DAMAGED', message: `master key aws-kms:${ARN}: damaged, or of another private key` },
      { kind: 'DAMAGED', message: `master key aws-kms:${ARN}: KMS answered without a plaintext` },
      { kind: 'DAMAGED' },
      Buffer.from('good')
    ])
  })

  it.each(['AccessDeniedException', 'DisabledException', 'KMSInvalidStateException'])(
    'takes %s for the key of one ciphertext where the master key works, and for its own where it does not',
    async (name) => {
      const kms = new Kms()
      const denied = failing(name, { $metadata: { httpStatusCode: 400 } })
      kms.answers.Decrypt = ({ CiphertextBlob }) =>
        String(CiphertextBlob) === 'denied' ? denied() : { Plaintext: CiphertextBlob }
      const keys = [stored(ARN, Buffer.from('denied')), stored()]
      expect(await open(kms).unwrap(keys)).toMatchObject([
        {
          kind: 'WRONG_KEY',
          message: `master key aws-kms:${ARN}: KMS denies this one: another key has encrypted it`
        },
        Buffer.from('blob')
      ])
      kms.answers.Decrypt = denied
      expect(await rejectionOf(open(kms).unwrap(keys))).toMatchObject({ kind: 'REFUSED' })
    }
  )

  it('ends as a whole in an outage', async () => {
    const kms = new Kms()
    kms.answers.Decrypt = failing('ThrottlingException')
    expect(await rejectionOf(open(kms).unwrap([stored()]))).toMatchObject({ kind: 'UNREACHABLE' })
    kms.answers.Describe = failing('Error', { code: 'ECONNREFUSED' })
    expect(await rejectionOf(open(kms).unwrap([stored()]))).toMatchObject({
      kind: 'UNREACHABLE',
      message: `master key aws-kms:${ARN}: no answer from KMS (ECONNREFUSED)`
    })
  })

  it('passes on what is no failure of the service', async () => {
    const kms = new Kms()
    const key = open(kms)
    await key.unwrap([stored()])
    kms.run = async () => ({ Plaintext: 'no bytes' })
    expect(await rejectionOf(key.unwrap([stored()]))).not.toBeInstanceOf(MasterKeyError)
  })
})

describe('a rewrap by KMS', () => {
  it('is offered from keys of the same account and region only', async () => {
    const kms = new Kms()
    const from = (uri: string, version: string | null) => ({ uri, version: async () => version }) as MasterKey
    expect(await open(kms).rewrapFrom(from('local:a', ARN))).toBeNull()
    expect(await open(kms).rewrapFrom(from('aws-kms:b', FOREIGN_ARN))).toBeNull()
    expect(await open(kms).rewrapFrom(from('aws-kms:b', null))).toBeNull()
    expect(await open(kms).rewrapFrom(from('aws-kms:b', OTHER_ARN))).not.toBeNull()
  })

  it('lets KMS move each of them, and says of the others what is wrong', async () => {
    const [kms, before] = [new Kms(), new Kms()]
    before.arn = OTHER_ARN
    const rewrap = await open(kms).rewrapFrom(open(before, OTHER_ARN))
    expect(await rewrap?.([stored(OTHER_ARN), stored(ARN), { wrapped: Buffer.of(1), context }])).toMatchObject([
      { wrapped: stored(ARN).wrapped, version: ARN },
      { kind: 'WRONG_KEY' },
      { kind: 'DAMAGED' }
    ])
    expect(kms.inputs('ReEncrypt')).toEqual([
      {
        SourceKeyId: OTHER_ARN,
        DestinationKeyId: ARN,
        CiphertextBlob: Buffer.from('blob'),
        SourceEncryptionContext: encryptionContext,
        DestinationEncryptionContext: encryptionContext
      }
    ])
  })

  it('takes a denial for one ciphertext where it can move another, and for itself where it cannot', async () => {
    const [kms, before] = [new Kms(), new Kms()]
    before.arn = OTHER_ARN
    const denied = failing('AccessDeniedException', { $metadata: { httpStatusCode: 400 } })
    kms.answers.ReEncrypt = ({ CiphertextBlob }) =>
      String(CiphertextBlob) === 'blob' ? denied() : { KeyId: ARN, CiphertextBlob }
    const rewrap = await open(kms).rewrapFrom(open(before, OTHER_ARN))
    expect(await rewrap?.([stored(OTHER_ARN)])).toMatchObject([{ kind: 'WRONG_KEY' }])
    expect(before.inputs('Encrypt')).toHaveLength(1)
    kms.answers.ReEncrypt = denied
    expect(await rejectionOf(rewrap?.([stored(OTHER_ARN)]) ?? Promise.resolve())).toMatchObject({ kind: 'REFUSED' })
    const from = { uri: 'aws-kms:b', version: async () => OTHER_ARN, wrap: async () => [] } as unknown as MasterKey
    const unproved = await open(kms).rewrapFrom(from)
    expect(await rejectionOf(unproved?.([stored(OTHER_ARN)]) ?? Promise.resolve())).toMatchObject({
      kind: 'REFUSED',
      message: 'master key aws-kms:b: does not wrap'
    })
  })
})
