import { loadConfig } from '../../src/config.js'

/** Those that hold where nothing is configured. */
export const { queryLimits } = loadConfig({})
