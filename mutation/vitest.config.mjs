import config from '../vitest.config.js'
import { chosenFolder } from './folders.mjs'

// None of these tests needs the database that the whole suite starts.
const { globalSetup: _, ...test } = config.test

export default { ...config, test: { ...test, include: chosenFolder().tests } }
