import { Counter, type Registry } from 'prom-client'

/** What opening and closing costs this process. */
export class KeyUseMetrics {
  readonly dataKeyHits: Counter.Internal
  readonly dataKeyMisses: Counter.Internal
  readonly privateKeyHits: Counter.Internal
  readonly privateKeyMisses: Counter.Internal
  readonly rsaUnwraps: Counter.Internal
  readonly rsaWraps: Counter.Internal
  readonly rsaGenerations: Counter.Internal

  constructor(registry: Registry) {
    const lookUps = new Counter({
      name: 'conclave_key_cache_lookups_total',
      help: 'Keys that were looked for among those that are open.',
      labelNames: ['cache', 'result'],
      registers: [registry]
    })
    const rsa = new Counter({
      name: 'conclave_rsa_operations_total',
      help: 'RSA operations: data keys unwrapped with a private key, wrapped with a public key, and pairs generated.',
      labelNames: ['operation'],
      registers: [registry]
    })
    this.dataKeyHits = lookUps.labels({ cache: 'data_key', result: 'hit' })
    this.dataKeyMisses = lookUps.labels({ cache: 'data_key', result: 'miss' })
    this.privateKeyHits = lookUps.labels({ cache: 'private_key', result: 'hit' })
    this.privateKeyMisses = lookUps.labels({ cache: 'private_key', result: 'miss' })
    this.rsaUnwraps = rsa.labels({ operation: 'unwrap' })
    this.rsaWraps = rsa.labels({ operation: 'wrap' })
    this.rsaGenerations = rsa.labels({ operation: 'generate' })
  }
}
