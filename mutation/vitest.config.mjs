import config from '../vitest.config.js'
import { chosenFolder } from './folders.mjs'

const { tests: include, database } = chosenFolder()
const globalSetup = database ? ['mutation/database-setup.mjs'] : []

export default { ...config, test: { ...config.test, include, globalSetup, projects: undefined } }
