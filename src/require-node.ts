/**
 * Ends the process at once under a Node that lacks what reading needs: another one than npm installs with the project.
 *
 * Entry points import it before everything else, and it imports nothing: what they need fails to load there.
 */

const NODE_MAJOR = 24

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < NODE_MAJOR) {
  console.error(
    `Conclave cannot start: this is Node ${process.versions.node}; Node ${NODE_MAJOR} or later is needed. npm ci installs it with the project, unless install scripts were refused.`
  )
  process.exit(1)
}
