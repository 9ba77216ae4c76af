import { replaceModule } from './replace-module.js'

replaceModule('src/crypto/content-encryption.js', 'replacements/rsa-per-message.js')
