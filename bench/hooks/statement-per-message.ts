import type * as original from '../../src/message/send-groups.js'
import type * as replacement from '../replacements/statement-per-message.js'
import { replaceModule } from './replace-module.js'

replaceModule<typeof original, typeof replacement>(
  'src/message/send-groups.js',
  'replacements/statement-per-message.js'
)
