import { buildPages } from './build-pages.js'

for (const folder of await buildPages()) console.log(`dist/${folder} has been built.`)
