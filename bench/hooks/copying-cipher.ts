import { replaceModule } from './replace-module.js'

replaceModule('src/crypto/content-encryption.js', 'replacements/copying-cipher.js')
