import './require-node.js'
// Next: it sets the size of the thread pool, which the first use of the pool fixes.
import './thread-pool.js'
// Before the first schema.
import './zod-without-code.js'
import { runCommand } from './command/run.js'

/** The command line. */

// Diagnostic reports would have the environment in them, and with it secrets.
process.report.excludeEnv = true

void runCommand(process.argv.slice(2)).then(() => process.exit())
