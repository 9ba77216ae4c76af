import config from '../vitest.config.js'
import { chosenFolder } from './folders.mjs'

const { tests, postgres } = chosenFolder()
const { globalSetup, ...test } = config.test

export default { ...config, test: { ...test, include: tests, ...(postgres ? { globalSetup } : {}) } }
