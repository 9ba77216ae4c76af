import { randomBytes } from 'node:crypto'
import { describe } from 'vitest'
import { masterSecretFrom } from '../../../src/crypto/keys.js'
import { LocalMasterKey } from '../../../src/master-key/local-master-key.js'
import { itKeepsTheContract } from '../../support/providers/contract.js'

describe('a local master key', () => {
  itKeepsTheContract({ remote: false }, async () => ({
    key: new LocalMasterKey('one', masterSecretFrom(randomBytes(32))),
    other: new LocalMasterKey('other', masterSecretFrom(randomBytes(32))),
    service: null,
    stop: async () => {}
  }))
})
