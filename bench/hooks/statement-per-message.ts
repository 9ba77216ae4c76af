import { replaceModule } from './replace-module.js'

replaceModule('src/message/send-groups.js', 'replacements/statement-per-message.js')
