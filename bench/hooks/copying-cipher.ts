import type * as original from '../../src/crypto/content-encryption.js'
import type * as replacement from '../replacements/copying-cipher.js'
import { replaceModule } from './replace-module.js'

replaceModule<typeof original, typeof replacement>('src/crypto/content-encryption.js', 'replacements/copying-cipher.js')
