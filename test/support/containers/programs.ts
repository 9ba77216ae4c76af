import { read } from './project-files.js'

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** Whether an npm script starts the same: arguments of the image's entrypoint, which is a node with its flags. */
export function isProgram([program, ...args]: readonly string[] = []): boolean {
  // What bin/conclave starts.
  const command = program === 'dist/src/conclave.js' ? 'bin/conclave' : `node --enable-source-maps ${program}`
  return Object.values(scripts).some((script) => script.endsWith([command, ...args].join(' ')))
}
