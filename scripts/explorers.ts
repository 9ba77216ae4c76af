import { buildExplorers } from './build-explorers.js'

if (await buildExplorers()) console.log('The explorers have been built.')
