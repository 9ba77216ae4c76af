import type * as original from '../../src/crypto/content-encryption.js'
import type * as replacement from '../replacements/rsa-per-message.js'
import { replaceModule } from './replace-module.js'

replaceModule<typeof original, typeof replacement>(
  'src/crypto/content-encryption.js',
  'replacements/rsa-per-message.js'
)
