import { readFileSync } from 'node:fs'

// Loaded into a program before its own code. It shows that what is written is seen, and fails where nobody catches it.
const { shown, hidden } = JSON.parse(readFileSync(process.env.FAULT_FILE, 'utf8'))
process.stdout.write(`on standard output: ${shown}\n`)
process.stderr.write(`on standard error: ${shown}\n`)

// And counts the operations that graphql-jit has compiled: their code calls resolvers.
let compiled = 0
const count = (parts) => {
  if (String(parts.at(-1)).includes('ResolverHandler')) compiled++
}
globalThis.Function = new Proxy(Function, {
  apply(target, self, parts) {
    count(parts)
    return Reflect.apply(target, self, parts)
  },
  construct(target, parts, newTarget) {
    count(parts)
    return Reflect.construct(target, parts, newTarget)
  }
})
process.on('SIGHUP', () => {
  process.stdout.write(`operations compiled: ${compiled}\n`)
  const error = new Error(`could not read "${hidden}" of postgres://conclave:${hidden}@localhost/conclave`)
  error.name = shown
  const carried = { detail: hidden, where: hidden, parameters: [hidden], query: hidden, command: { args: [hidden] } }
  throw Object.assign(error, carried, { cause: new Error(hidden) })
})
